#include "cmd/watcher/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/watcher/versions.h"
#include "common/base/log.h"

#define LIMITS_FRESH_NS (30 * NS_PER_S)
#define DESCRIPTION "published by Plimsoll"

void target_release(struct target *t)
{
	lambda_list_release(&t->versions);
	lambda_function_release(&t->own);
	*t = (struct target){0};
}

static void remember_ours(struct account *a, const char *name, const char *version)
{
	char *subject = account_subject(a, name);

	versions_remember(a->st, subject, version);
	free(subject);
	a->published_count++;
}

static bool has_version(const struct lambda_list *versions, const char *version)
{
	for (size_t i = 0; i < versions->count; i++)
		if (!strcmp(versions->items[i].version, version))
			return true;
	return false;
}

/* Without permission the watcher goes on as if it were not allowed to publish. */
static int refused_to_publish(struct account *a, const struct aws_error *err)
{
	if (!a->is_told_no_publish)
		log_warn("%s; going on without: changes are tested on $LATEST and there is no old "
			 "version to compare with",
			 err->text);
	a->is_told_no_publish = true;
	return 0;
}

/* The new version is put into the list. 0 also when publishing is not permitted. */
static int publish(struct account *a, const char *name, const struct lambda_function *f,
		   struct target *t, struct aws_error *err)
{
	struct lambda_function v = {0};
	struct lambda_list *l = &t->versions;
	int rc = lambda_publish_version(a->client, account_cloud_name(a, name), f->code_sha256,
					DESCRIPTION, &v, err);

	if (rc && err->fault == AWS_DENIED)
		return refused_to_publish(a, err);
	if (rc && (err->fault == AWS_CONFLICT || err->fault == AWS_BAD_REQUEST))
		return -EAGAIN; /* being updated, or other code by now */
	if (rc)
		return rc;
	if (has_version(l, v.version)) {
		lambda_function_release(&v);
		return 0;
	}
	remember_ours(a, name, v.version);
	l->items = x_realloc(l->items, l->count + 1, sizeof(*l->items));
	l->items[l->count++] = v;
	l->cap = l->count;
	versions_sort(l);
	return 0;
}

static int read_versions(struct account *a, const char *name, struct target *t,
			 struct aws_error *err)
{
	int rc = lambda_list_versions(a->client, account_cloud_name(a, name), &t->versions, err);

	if (rc == 0)
		versions_sort(&t->versions);
	return rc;
}

/* A list says nothing of readiness: the version is read by its number. */
static int read_own(struct account *a, const char *name, const char *version, struct target *t,
		    struct aws_error *err)
{
	int rc = lambda_get_configuration(a->client, account_cloud_name(a, name), version, &t->own,
					  err);

	if (rc)
		return rc;
	if (!lambda_is_ready(&t->own))
		return -EAGAIN;
	t->function = &t->own;
	t->is_immutable = true;
	return 0;
}

static bool is_newest_equal(const struct lambda_list *versions, const struct lambda_function *f)
{
	const struct lambda_function *equal = versions_equal_to(versions, f);

	return equal && equal == &versions->items[0];
}

/* alias: $LATEST puts the unpublished function itself under test; versions are still kept. */
static bool wants_latest_itself(const struct account *a, const char *name)
{
	bool is_tested;
	const struct config_function *rule = account_rule(a, name, &is_tested);

	return rule && rule->alias && !strcmp(rule->alias, "$LATEST");
}

int target_find(struct account *a, const char *name, const struct lambda_function *f,
		struct target *out, struct aws_error *err)
{
	struct target t = {.function = f};
	const struct lambda_function *equal = NULL;
	int rc = read_versions(a, name, &t, err);

	/* After A, B and A again the newest version is not the oldest one with the same code. */
	if (rc == 0 && a->conf->publish_keep && !is_newest_equal(&t.versions, f))
		rc = publish(a, name, f, &t, err);
	if (rc == 0)
		equal = versions_equal_to(&t.versions, f);
	if (equal && !wants_latest_itself(a, name))
		rc = read_own(a, name, equal->version, &t, err);
	if (rc)
		target_release(&t);
	*out = t;
	if (t.is_immutable)
		out->function = &out->own;
	return rc;
}

int target_of_version(struct account *a, const char *name, const char *version, struct target *out,
		      struct aws_error *err)
{
	struct target t = {0};
	int rc = read_versions(a, name, &t, err);

	if (rc == 0)
		rc = read_own(a, name, version, &t, err);
	if (rc)
		target_release(&t);
	*out = t;
	out->function = rc == 0 ? &out->own : NULL;
	return rc;
}

/* Read at most every LIMITS_FRESH_NS for the whole account. */
static int read_account_limits(struct account *a, struct aws_error *err)
{
	struct mono now = mono_now();
	int rc;

	if (mono_is_before(now, a->limits_fresh_until))
		return 0;
	rc = lambda_get_account(a->client, &a->limits, err);
	if (rc == 0) {
		a->limits_read_at = wall_now();
		a->limits_fresh_until = mono_add_ns(now, LIMITS_FRESH_NS);
	}
	return rc;
}

static void put_limit(struct json *o, const char *name, int64_t value)
{
	if (value >= 0)
		json_put_int(o, name, value);
}

struct json *target_limits(struct account *a, const char *name)
{
	struct aws_error err = {0};
	char when[WALL_RFC3339_SIZE];
	struct json *o;
	int64_t reserved = -1;
	int rc = read_account_limits(a, &err);

	if (rc == 0)
		rc = lambda_get_concurrency(a->client, account_cloud_name(a, name), &reserved,
					    &err);
	if (rc && rc != -ECANCELED && !a->is_told_no_limits) {
		log_warn("%s; going on without: the planner cannot guard the concurrency that it "
			 "does not know",
			 err.text);
		a->is_told_no_limits = true;
	}
	if (!a->limits_read_at.ns)
		return NULL;
	o = json_obj();
	wall_format_rfc3339(a->limits_read_at, when);
	put_limit(o, "account_concurrency", a->limits.concurrent);
	put_limit(o, "unreserved", a->limits.unreserved);
	put_limit(o, "reserved", reserved);
	json_put_str(o, "read_at", when);
	return o;
}
