/* version.c - what is under test, and which older version it can be compared with. */
#include <string.h>

#include "cmd/planner/draft.h"
#include "cmd/planner/ledger.h"

static bool is_equal(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static struct version version_of(const struct json *o)
{
	return (struct version){json_get_str(o, "qualifier"), json_get_str(o, "code_sha256"),
				json_get_str(o, "config_sha256"),
				json_get_bool(o, "is_unused", false)};
}

static const struct json *candidate(const struct draft *d, const char *qualifier)
{
	const struct json *list = json_get(d->in->event->data, "candidates");

	for (size_t i = 0; i < json_len(list); i++) {
		const struct json *c = json_elem(list, i);

		if (is_equal(json_get_str(c, "qualifier"), qualifier))
			return c;
	}
	return NULL;
}

/* A qualifier that a person named; its hashes where the event knows them. */
static struct version named(const struct draft *d, const char *qualifier)
{
	const struct json *c = candidate(d, qualifier);
	struct version v = c ? version_of(c) : (struct version){0};

	v.qualifier = qualifier;
	return v;
}

#define CANDIDATES_MAX 10 /* an event names no more; others may be there */

/* A number that no version has: better told now than as failed calls. Aliases are not known here.
 */
static bool is_missing(const struct draft *d, const char *qualifier)
{
	size_t count = json_len(json_get(d->in->event->data, "candidates"));

	return qualifier && *qualifier && count > 0 && count < CANDIDATES_MAX &&
	       qualifier[strspn(qualifier, "0123456789")] == '\0' && !candidate(d, qualifier);
}

static void refuse_missing(struct draft *d, const char *qualifier)
{
	const struct json *list = json_get(d->in->event->data, "candidates");
	struct buf known = BUF_INIT(1024);
	const char *q;

	if (!is_missing(d, qualifier))
		return;
	for (size_t i = 0; i < json_len(list); i++)
		if ((q = json_get_str(json_elem(list, i), "qualifier")))
			buf_addf(&known, "%s%s", i ? ", " : "", q);
	draft_decide(d, DECIDE_REFUSE, "there is no version %s; those that can be called: %s",
		     qualifier, buf_str(&known));
	buf_release(&known);
}

/* Unknown hashes count as different: better one comparison too many than none. */
static bool is_same_code(const struct version *a, const struct version *b)
{
	return is_equal(a->code_sha256, b->code_sha256) &&
	       (!a->config_sha256 || !b->config_sha256 ||
		is_equal(a->config_sha256, b->config_sha256));
}

/* The newest that can be called and is another; $LATEST is no version to compare with. */
static bool find_old(struct draft *d, bool wants_same_code)
{
	const struct json *list = json_get(d->in->event->data, "candidates");

	for (size_t i = 0; i < json_len(list); i++) {
		struct version v = version_of(json_elem(list, i));

		if (!v.qualifier || is_equal(v.qualifier, "$LATEST") ||
		    is_equal(v.qualifier, d->new.qualifier) ||
		    is_same_code(&v, &d->new) != wants_same_code)
			continue;
		d->old = v;
		return true;
	}
	return false;
}

enum baseline { BASELINE_NONE, BASELINE_IS_OLD, BASELINE_IS_NEW };

/* What a person accepted, where it can still be called. $LATEST is found again by its code. */
static const struct json *accepted_candidate(const struct draft *d)
{
	const struct json *list = json_get(d->in->event->data, "candidates");
	const char *qualifier = json_get_str(d->in->accepted, "version");
	const char *code = json_get_str(d->in->accepted, "code_sha256");

	if (qualifier && !is_equal(qualifier, "$LATEST"))
		return candidate(d, qualifier);
	for (size_t i = 0; code && i < json_len(list); i++)
		if (is_equal(json_get_str(json_elem(list, i), "code_sha256"), code) &&
		    !is_equal(json_get_str(json_elem(list, i), "qualifier"), "$LATEST"))
			return json_elem(list, i);
	return NULL;
}

/* Until another is accepted: else a slowdown that nobody meant is the measure of the next. */
static enum baseline hold_against_accepted(struct draft *d)
{
	const struct json *c = accepted_candidate(d);
	struct version v;

	if (!c)
		return BASELINE_NONE;
	v = version_of(c);
	if (is_equal(v.qualifier, d->new.qualifier) || is_same_code(&v, &d->new)) {
		draft_note(d, "%s is the accepted baseline", v.qualifier);
		return BASELINE_IS_NEW;
	}
	draft_note(d, "held against %s, the accepted baseline", v.qualifier);
	d->old = v;
	d->has_old = true;
	return BASELINE_IS_OLD;
}

/* Fewer past runs say nothing of how runs differ: as the collector has it. */
#define PAST_RUNS_MIN 5

static bool hold_against_past(struct draft *d)
{
	d->past = d->test ? ledger_past(d->in->history, d->in->accepted, d->test->name) : NULL;
	if (json_len(d->past) >= PAST_RUNS_MIN) {
		draft_note(d, "no old version can be called: held against the last %zu runs",
			   json_len(d->past));
		return true;
	}
	json_free(d->past);
	d->past = NULL;
	return false;
}

static void say_nothing_to_compare(struct draft *d)
{
	if (d->account->provider == PROVIDER_HTTP)
		draft_note(d, "a URL has no old version: objectives only");
	else if (d->account->publish_keep == 0)
		draft_note(
			d,
			"no old version can be called: objectives only (publish_versions: keep 5 "
			"under accounts.%s keeps one)",
			d->account->name);
	else
		draft_note(d, "no old version can be called: objectives only");
}

/* The same code in a version that nobody has called, where there is one. */
static void take_unused(const struct draft *d, struct version *v)
{
	const struct json *list = json_get(d->in->event->data, "candidates");

	for (size_t i = 0; i < json_len(list) && !v->is_unused; i++) {
		struct version c = version_of(json_elem(list, i));

		if (c.is_unused && is_same_code(&c, v) && !is_equal(c.qualifier, d->new.qualifier))
			*v = c;
	}
}

static void force_cold(struct draft *d)
{
	if (!d->test || strcmp(d->test->cold, "force") != 0) {
		d->old.is_unused = false;
		return;
	}
	d->new.is_unused = json_get_bool(candidate(d, d->new.qualifier), "is_unused", false);
	if (d->has_old && !d->in->options->old_qualifier)
		take_unused(d, &d->old);
	draft_note(d, "cold starts forced: old %s, new %s", d->old.is_unused ? "yes" : "no",
		   d->new.is_unused ? "yes" : "no");
}

void version_pick(struct draft *d)
{
	const struct plan_options *o = d->in->options;
	bool is_calibration = strcmp(d->purpose, "calibrate") == 0;
	enum baseline baseline = BASELINE_NONE;

	refuse_missing(d, o->old_qualifier);
	refuse_missing(d, o->new_qualifier);
	d->new = o->new_qualifier ? named(d, o->new_qualifier) : version_of(d->target);
	if (o->old_qualifier) {
		d->old = named(d, o->old_qualifier);
		d->has_old = true;
	} else if (d->account->provider == PROVIDER_AWS) {
		if (!is_calibration)
			baseline = hold_against_accepted(d);
		if (baseline == BASELINE_NONE)
			d->has_old = find_old(d, is_calibration);
		if (!d->has_old && !is_calibration && find_old(d, true)) {
			d->has_old = true;
			draft_note(d, "no older version differs: compared with a copy, %s",
				   d->old.qualifier);
		}
	}
	force_cold(d);
	if (d->has_old && is_equal(d->old.qualifier, d->new.qualifier))
		draft_decide(
			d, DECIDE_REFUSE,
			"old and new are both %s: a version shares its environments with itself",
			d->old.qualifier);
	if (!d->has_old && is_calibration)
		draft_decide(
			d, DECIDE_REFUSE,
			"calibrate needs a second published copy of the code of %s, and there is "
			"none: %s",
			d->new.qualifier ? d->new.qualifier : "the function",
			d->account->publish_keep
				? "the watcher says why it made none"
				: "publish_versions: keep 5 lets Plimsoll make one; or edit the "
				  "description and publish a version");
	else if (!d->has_old && baseline == BASELINE_NONE && !hold_against_past(d))
		say_nothing_to_compare(d);
}
