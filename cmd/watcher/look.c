#include "cmd/watcher/look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/watcher/copies.h"
#include "cmd/watcher/describe.h"
#include "cmd/watcher/diff.h"
#include "cmd/watcher/target.h"
#include "cmd/watcher/versions.h"
#include "common/base/log.h"

#define READY_AGAIN_MS INT64_C(500)
#define READY_SLOW_MS INT64_C(5000)	  /* once it has been waited for long */
#define READY_LONG_NS (30 * NS_PER_S)	  /* from when on the wait is a long one */
#define READY_GIVE_UP_NS (180 * NS_PER_S) /* with --once */
#define RETRY_MS INT64_C(5000)
#define RETRY_MAX_MS INT64_C(60000)
#define DONE (-1)

static int64_t failed(struct account *a, struct todo *t, const struct aws_error *err)
{
	int64_t again_ms = RETRY_MS;

	if (err->fault == AWS_NOT_FOUND)
		return DONE; /* the next list will miss it */
	account_failed(a, err);
	if (a->is_once)
		return DONE;
	for (unsigned i = 0; i < t->failures && again_ms < RETRY_MAX_MS; i++)
		again_ms *= 2;
	t->failures++;
	return MIN_OF(again_ms, RETRY_MAX_MS);
}

static int64_t not_ready(struct account *a, struct todo *t)
{
	int64_t waited_ns = mono_diff_ns(mono_now(), t->since);

	if (a->is_once && waited_ns > READY_GIVE_UP_NS) {
		log_error("%s/%s is still being updated; run again later", a->conf->name, t->name);
		a->code = exit_code_worse(a->code, EXIT_AGAIN);
		return DONE;
	}
	return waited_ns > READY_LONG_NS ? READY_SLOW_MS : READY_AGAIN_MS;
}

/* Remembered as seen, so that it is looked at again only when it is touched again. */
static int64_t settled(struct account *a, const char *name, struct known *k,
		       const struct lambda_function *now)
{
	known_learn(k, now);
	account_put_known(a, name, k);
	return DONE;
}

static void tell_how_to_publish(struct account *a, const char *name, struct known *k)
{
	if (k->is_told_how_to_publish || a->conf->publish_keep)
		return;
	k->is_told_how_to_publish = true;
	log_warn("%s/%s: its old code is gone with the next change, so that change cannot be "
		 "compared; to let Plimsoll publish a version of it, add to account %s in %s: "
		 "publish_versions: keep 5",
		 a->conf->name, name, a->conf->name,
		 a->conf->place.file ? a->conf->place.file : "the configuration");
}

static int emit(struct account *a, const char *name, struct description *d,
		const struct target *target)
{
	char *subject = account_subject(a, name);
	struct json *doc = versions_doc(a->st, subject);
	const struct json *unused = account_forces_cold(a, name) ? json_get(doc, "unused") : NULL;
	int rc;

	d->subject = subject;
	d->account = a->conf;
	d->region = aws_client_region(a->client);
	d->function = target->function;
	d->is_immutable = target->is_immutable;
	d->candidates_take = versions_candidates(&target->versions, unused);
	/* Nothing is planned on an inventory: that call a function is spared. */
	d->limits_take = d->is_first_seen ? NULL : target_limits(a, name);
	rc = describe_changed(a->st, d);
	/* Nothing is planned on an inventory, and without leave to publish only looked at. */
	if (rc == 0 && !d->is_first_seen && a->conf->publish_keep)
		versions_told(a->st, subject);
	json_free(doc);
	free(subject);
	return rc;
}

/* Versions of ours that are no longer needed go in a turn of their own, after the event. */
static int64_t retire_next(struct account *a, struct todo *t)
{
	if (!a->conf->publish_keep || a->is_told_no_delete)
		return DONE;
	t->what = TODO_RETIRE;
	return 0;
}

static uint32_t causes_now(struct account *a, const char *name, const struct known *k,
			   const struct lambda_function *now)
{
	uint32_t causes = diff_causes(k, now);

	if (k->owed)
		return DIFF_BIT(CAUSE_ADDED);
	if (!causes && diff_is_deployed_again(k, now) && !copies_were_ours(a, name, now))
		causes = DIFF_BIT(CAUSE_CODE);
	return causes;
}

/* It is quiet and ready: find what to call, and tell. */
static int64_t tell(struct account *a, struct todo *t, struct known *k,
		    const struct lambda_function *now, uint32_t causes)
{
	struct aws_error err = {0};
	struct target target;
	struct description d = {
		.kind = diff_kind(causes),
		.causes = causes,
		.revision = known_revision_of(now),
		.is_first_seen = k->owed == OWED_FIRST_SEEN,
	};
	int rc = target_find(a, t->name, now, &target, &err);

	if (rc == -EAGAIN)
		return not_ready(a, t);
	if (rc)
		return failed(a, t, &err);
	if (!target.is_immutable)
		tell_how_to_publish(a, t->name, k);
	if (emit(a, t->name, &d, &target))
		stage_count(a->st, "change-not-sent");
	target_release(&target);
	settled(a, t->name, k, now);
	if (!account_forces_cold(a, t->name) || a->is_told_no_copy)
		return retire_next(a, t);
	t->what = TODO_COPY;
	return 0;
}

static int64_t look_at_latest(struct account *a, struct todo *t, struct known *k,
			      const struct lambda_function *now)
{
	uint32_t causes = causes_now(a, t->name, k, now);
	int64_t left_ms = diff_quiet_left_ms(now->modified_at, wall_now(), a->conf->quiet_ms);

	if (lambda_is_failed(now)) {
		log_warn("%s/%s: its last update failed (%s); nothing to test until the next one",
			 a->conf->name, t->name,
			 now->last_update_reason ? now->last_update_reason
			 : now->state_reason	 ? now->state_reason
						 : "no reason given");
		return settled(a, t->name, k, now);
	}
	if (!lambda_is_ready(now))
		return not_ready(a, t);
	if (!causes)
		return settled(a, t->name, k, now);
	/* The inventory needs its baselines at once; nothing is planned on it. */
	if (left_ms > 0 && k->owed != OWED_FIRST_SEEN)
		return left_ms;
	return tell(a, t, k, now, causes);
}

/* functions whose rule names an alias */

static const struct lambda_alias *find_alias(const struct lambda_aliases *all, const char *name)
{
	for (size_t i = 0; i < all->count; i++)
		if (!strcmp(all->items[i].name, name))
			return &all->items[i];
	return NULL;
}

static void replace(char **at, const char *text)
{
	free(*at);
	*at = text ? x_strdup(text) : NULL;
}

static int64_t alias_settled(struct account *a, struct todo *t, struct known *k,
			     const struct lambda_alias *alias, const struct lambda_function *now)
{
	replace(&k->alias_version, alias->version);
	replace(&k->alias_revision, alias->revision_id);
	return settled(a, t->name, k, now);
}

static bool has_alias_moved(const struct known *k, const struct lambda_alias *alias)
{
	return !k->alias_version || strcmp(k->alias_version, alias->version) != 0;
}

static int64_t tell_alias(struct account *a, struct todo *t, struct known *k,
			  const struct lambda_alias *alias)
{
	struct aws_error err = {0};
	struct target target;
	bool is_known = k->alias_version != NULL;
	char *revision = x_asprintf("%s:%s:%s", alias->name, alias->version,
				    alias->revision_id ? alias->revision_id : "");
	struct description d = {.revision = revision, .is_first_seen = k->owed == OWED_FIRST_SEEN};
	int rc = target_of_version(a, t->name, alias->version, &target, &err);
	int64_t again_ms = DONE;

	if (rc == -EAGAIN) {
		again_ms = not_ready(a, t);
	} else if (rc) {
		again_ms = failed(a, t, &err);
	} else {
		d.causes = k->owed ? DIFF_BIT(CAUSE_ADDED)
				   : DIFF_BIT(CAUSE_ALIAS) | diff_causes(k, target.function);
		d.kind = diff_kind(d.causes);
		/* An alias that is looked at for the first time has not moved. */
		if ((k->owed || is_known) && emit(a, t->name, &d, &target))
			stage_count(a->st, "change-not-sent");
		again_ms = alias_settled(a, t, k, alias, target.function);
		target_release(&target);
	}
	free(revision);
	return again_ms;
}

static int64_t look_at_alias(struct account *a, struct todo *t, struct known *k,
			     const char *alias_name)
{
	static struct log_limit no_alias;
	struct lambda_aliases all = {0};
	const struct lambda_alias *alias;
	struct aws_error err = {0};
	int64_t again_ms = DONE;

	if (lambda_list_aliases(a->client, account_cloud_name(a, t->name), &all, &err))
		return failed(a, t, &err);
	alias = find_alias(&all, alias_name);
	if (!alias)
		log_limited(&no_alias, LOG_WARN,
			    "%s/%s has no alias %s, which its rule names; nothing to test there",
			    a->conf->name, t->name, alias_name);
	else if (k->owed || has_alias_moved(k, alias))
		again_ms = tell_alias(a, t, k, alias);
	lambda_aliases_release(&all);
	return again_ms;
}

/* the things to do */

static int refused_to_copy(struct account *a, const struct aws_error *err)
{
	if (!a->is_told_no_copy)
		log_warn("%s; going on without a copy", err->text);
	a->is_told_no_copy = true;
	return 0;
}

static bool lacks_unused(struct account *a, const char *name, const struct lambda_function *now,
			 const struct lambda_list *versions)
{
	char *subject = account_subject(a, name);
	struct json *doc = versions_doc(a->st, subject);
	bool lacks = a->conf->publish_keep && !a->is_told_no_copy &&
		     !versions_has_unused(doc, versions, now);

	json_free(doc);
	free(subject);
	return lacks;
}

/* What a change is compared with next: nobody can publish today's code once it is yesterday's. */
static int see_to_copy(struct account *a, const char *name, const struct lambda_function *now,
		       struct aws_error *err)
{
	struct lambda_list versions = {0};
	int rc = copies_go_on(a, name, now, err);

	if (rc && rc != -EAGAIN && err->fault == AWS_DENIED)
		return refused_to_copy(a, err);
	if (rc == 0)
		rc = lambda_is_ready(now)
			     ? lambda_list_versions(a->client, account_cloud_name(a, name),
						    &versions, err)
			     : -EAGAIN;
	if (rc == 0 && lacks_unused(a, name, now, &versions)) {
		copies_begin(a, name, now, false);
		rc = -EAGAIN;
	}
	lambda_list_release(&versions);
	return rc;
}

static int64_t copy(struct account *a, struct todo *t)
{
	struct lambda_function now = {0};
	struct aws_error err = {0};
	int64_t again_ms;
	int rc = lambda_get_configuration(a->client, account_cloud_name(a, t->name), NULL, &now,
					  &err);

	if (rc == 0)
		rc = see_to_copy(a, t->name, &now, &err);
	if (rc == -EAGAIN && err.fault == AWS_FINE)
		again_ms = not_ready(a, t);
	else
		again_ms = rc ? failed(a, t, &err) : retire_next(a, t);
	lambda_function_release(&now);
	return again_ms;
}

static int64_t look(struct account *a, struct todo *t)
{
	struct lambda_function now = {0};
	struct aws_error err = {0};
	struct known *k = strmap_get(&a->known, t->name);
	bool is_tested;
	const struct config_function *rule = account_rule(a, t->name, &is_tested);
	int64_t again_ms;
	int rc;

	if (!k || !is_tested)
		return DONE;
	if (rule->alias && strcmp(rule->alias, "$LATEST") != 0)
		return look_at_alias(a, t, k, rule->alias);
	if (lambda_get_configuration(a->client, account_cloud_name(a, t->name), NULL, &now, &err))
		return failed(a, t, &err);
	account_recovered(a);
	rc = copies_go_on(a, t->name, &now, &err);
	if (rc == -EAGAIN)
		again_ms = not_ready(a, t);
	else if (rc && err.fault != AWS_DENIED)
		again_ms = failed(a, t, &err);
	else
		again_ms = look_at_latest(a, t, k, &now);
	lambda_function_release(&now);
	return again_ms;
}

/* Under test, its baseline, and with cold: force the copy for the next change. */
#define KEEP_MIN_FORCED 3u

static int64_t retire(struct account *a, struct todo *t)
{
	char *subject = account_subject(a, t->name);
	struct json *ours = versions_ours(a->st, subject);
	uint32_t keep_min = account_forces_cold(a, t->name) ? KEEP_MIN_FORCED : 0;
	struct json *old = versions_to_retire(ours, MAX_OF(a->conf->publish_keep, keep_min), NULL);
	struct aws_error err = {0};

	for (size_t i = 0; i < json_len(old); i++) {
		const char *version = json_str(json_elem(old, i));
		int rc = lambda_delete_version(a->client, account_cloud_name(a, t->name), version,
					       &err);

		if (rc == 0 || err.fault == AWS_NOT_FOUND)
			versions_forget(a->st, subject, version);
		else if (err.fault == AWS_CONFLICT)
			log_debug("%s: version %s stays: an alias holds it", subject, version);
		if (rc && (err.fault == AWS_DENIED || err.fault == AWS_STOPPED))
			break;
	}
	if (err.fault == AWS_DENIED && !a->is_told_no_delete) {
		a->is_told_no_delete = true;
		log_warn("%s; versions that Plimsoll published stay, more than keep %u says",
			 err.text, a->conf->publish_keep);
	}
	json_free(old);
	json_free(ours);
	free(subject);
	return DONE;
}

/* The second "not found", by name: a list may be behind. */
static int64_t confirm_gone(struct account *a, struct todo *t)
{
	struct known *k = strmap_get(&a->known, t->name);
	struct lambda_function now = {0};
	struct aws_error err = {0};
	char *subject;
	int rc;

	if (!k)
		return DONE;
	rc = lambda_get_configuration(a->client, account_cloud_name(a, t->name), NULL, &now, &err);
	if (rc == 0) {
		lambda_function_release(&now);
		return DONE; /* it is there; the next list says so too */
	}
	if (err.fault != AWS_NOT_FOUND)
		return failed(a, t, &err);
	subject = account_subject(a, t->name);
	if (describe_removed(a->st, subject, k->revision))
		stage_count(a->st, "removal-not-sent");
	versions_forget_all(a->st, subject);
	account_drop_known(a, t->name);
	free(subject);
	return DONE;
}

int64_t look_do(struct account *a, struct todo *t)
{
	static int64_t (*const what[])(struct account *, struct todo *) = {
		[TODO_LOOK] = look,
		[TODO_COPY] = copy,
		[TODO_RETIRE] = retire,
		[TODO_GONE] = confirm_gone,
	};

	return what[t->what](a, t);
}

/* by hand */

static int find_by_hand(struct account *a, const char *name, const struct lambda_function *now,
			struct target *out, struct aws_error *err)
{
	bool is_tested;
	const struct config_function *rule = account_rule(a, name, &is_tested);
	struct lambda_aliases all = {0};
	const struct lambda_alias *alias;
	int rc;

	if (!rule || !rule->alias || !strcmp(rule->alias, "$LATEST"))
		return target_find(a, name, now, out, err);
	rc = lambda_list_aliases(a->client, account_cloud_name(a, name), &all, err);
	alias = rc == 0 ? find_alias(&all, rule->alias) : NULL;
	if (rc == 0 && !alias)
		rc = aws_error_set(err, AWS_BAD_REQUEST,
				   "%s/%s has no alias %s, which its rule names", a->conf->name,
				   name, rule->alias);
	if (rc == 0)
		rc = target_of_version(a, name, alias->version, out, err);
	lambda_aliases_release(&all);
	return rc;
}

/* Calibrate wants two versions of the code under test, and finds them there where we may not
 * publish. */
static bool lacks_copy(const struct account *a, const struct lambda_function *now,
		       const struct target *t)
{
	return a->conf->publish_keep && !a->is_told_no_copy && t->is_immutable &&
	       versions_is_equal(t->function, now) && copies_count(&t->versions, now) < 2;
}

static bool needs_copy(struct account *a, const char *name, const struct lambda_function *now,
		       bool is_calibration, const struct target *t)
{
	if (is_calibration)
		return lacks_copy(a, now, t);
	return account_forces_cold(a, name) && lacks_unused(a, name, now, &t->versions);
}

static enum look_result tell_by_hand(struct account *a, const char *name,
				     const struct lambda_function *now, bool wants_copy,
				     struct aws_error *err)
{
	struct target target = {0};
	struct description d = {
		.kind = "manual", .is_manual = true, .revision = known_revision_of(now)};
	int rc = copies_go_on(a, name, now, err);

	if (rc && rc != -EAGAIN && err->fault == AWS_DENIED)
		rc = refused_to_copy(a, err);
	if (rc == 0)
		rc = lambda_is_ready(now) ? find_by_hand(a, name, now, &target, err) : -EAGAIN;
	if (rc == 0 && needs_copy(a, name, now, wants_copy, &target)) {
		copies_begin(a, name, now, wants_copy);
		rc = -EAGAIN;
	}
	if (rc == 0)
		rc = emit(a, name, &d, &target) ? -EIO : 0;
	if (rc == 0 && account_forces_cold(a, name) && !a->is_told_no_delete)
		retire(a, &(struct todo){.name = (char *)(uintptr_t)name});
	target_release(&target);
	return rc == 0 ? LOOK_TOLD : rc == -EAGAIN ? LOOK_LATER : LOOK_FAILED;
}

enum look_result look_by_hand(struct account *a, const char *name, bool wants_copy)
{
	struct lambda_function now = {0};
	struct aws_error err = {0};
	enum look_result result = LOOK_FAILED;

	if (lambda_get_configuration(a->client, account_cloud_name(a, name), NULL, &now, &err) == 0)
		result = tell_by_hand(a, name, &now, wants_copy, &err);
	else if (err.fault == AWS_NOT_FOUND)
		result = LOOK_NO_SUCH;
	if (result == LOOK_FAILED || result == LOOK_NO_SUCH)
		account_failed(a, &err);
	lambda_function_release(&now);
	return result;
}
