/* choose.c - which tests a change is held against, and whether it is worth them. */
#include <string.h>

#include "cmd/planner/draft.h"
#include "common/base/clock.h"
#include "common/base/unit.h"

void draft_note(struct draft *d, const char *fmt, ...)
{
	va_list ap;

	if (d->reason.len_bytes)
		buf_adds(&d->reason, "; ");
	va_start(ap, fmt);
	buf_vaddf(&d->reason, fmt, ap);
	va_end(ap);
}

void draft_decide(struct draft *d, enum decision what, const char *fmt, ...)
{
	va_list ap;

	if (d->decision != DECIDE_TEST)
		return;
	d->decision = what;
	buf_clear(&d->reason);
	va_start(ap, fmt);
	buf_vaddf(&d->reason, fmt, ap);
	va_end(ap);
}

static const char *kind_of(const struct draft *d)
{
	const char *kind = json_get_str(d->change, "kind");

	return kind ? kind : "";
}

static bool is_asked_for(const struct draft *d)
{
	return strcmp(kind_of(d), "manual") == 0 || strcmp(kind_of(d), "schedule") == 0 ||
	       d->in->options->test || d->in->options->purpose || d->in->event->run;
}

static bool is_first_seen(const struct draft *d)
{
	const struct json *causes = json_get(d->change, "causes");

	for (size_t i = 0; i < json_len(causes); i++) {
		const char *cause = json_str(json_elem(causes, i));

		if (cause && strcmp(cause, "first-seen") == 0)
			return true;
	}
	return json_get_bool(d->change, "first_seen", false);
}

/* Bits of enum cause. A kind stands for itself where the causes say nothing that we know. */
static uint32_t causes_of(const struct draft *d)
{
	const struct json *causes = json_get(d->change, "causes");
	uint32_t bits = 0;
	enum cause c;

	for (size_t i = 0; i < json_len(causes); i++) {
		const char *name = json_str(json_elem(causes, i));

		if (name && cause_parse(name, &c) == 0)
			bits |= 1u << c;
	}
	if (!bits && cause_parse(kind_of(d), &c) == 0)
		bits = 1u << c;
	return bits;
}

/* "code, memory" */
static void add_causes(uint32_t bits, struct buf *out)
{
	const char *sep = "";

	for (unsigned i = 0; i < CAUSE_COUNT; i++) {
		if (bits & (1u << i)) {
			buf_addf(out, "%s%s", sep, cause_name((enum cause)i));
			sep = ", ";
		}
	}
	if (!bits)
		buf_adds(out, "nothing known");
}

static bool is_run(const struct json *entry, const char *key, const char *run)
{
	const char *text = json_get_str(entry, key);

	return text && strcmp(text, run) == 0;
}

/* The test that a run was of, by what was planned last; NULL = not known any more. */
static const struct config_test *test_of_run(const struct draft *d, const char *run)
{
	const struct config *c = d->in->config;
	const struct json *tests = json_get(d->in->past, "tests");

	for (size_t i = 0; i < c->test_count; i++) {
		const struct json *last = json_get(tests, c->tests[i].name);

		/* The second: the confirmation itself was planned, and is asked for again. */
		if (is_run(last, "run", run) || is_run(last, "confirms", run))
			return &c->tests[i];
	}
	return NULL;
}

size_t choose_tests(const struct draft *d, const struct config_test *out[TESTS_MAX])
{
	const struct config *c = d->in->config;
	size_t count = 0, wanted = d->rule && d->rule->has_tests ? d->rule->test_count : 0;

	if (d->in->options->test) {
		out[0] = config_test(c, d->in->options->test);
		return 1;
	}
	if (d->in->event->run && wanted) {
		out[0] = test_of_run(d, d->in->event->run);
		if (out[0])
			return 1;
	}
	for (size_t i = 0; i < wanted && count < TESTS_MAX; i++)
		out[count++] = config_test(c, d->rule->tests[i]);
	if (count > 1 && (strcmp(kind_of(d), "manual") == 0 || d->in->event->run))
		count = 1;
	if (count == 0)
		out[count++] = d->rule && !d->rule->has_tests ? config_test(c, "compare") : NULL;
	return count;
}

/* When this test was last planned for this function, by another cause. */
static bool was_run_lately(const struct draft *d, int64_t *ago_ms)
{
	const struct json *last = json_get(json_get(d->in->past, "tests"), d->test->name);
	const char *at = json_get_str(last, "at"), *run = json_get_str(last, "run");
	struct wall then;

	if (!d->test->every_ms || !at || wall_parse_rfc3339(at, &then))
		return false;
	if (run && strcmp(run, d->run_id) == 0)
		return false; /* the same event once more gives the same answer */
	*ago_ms = wall_diff_ns(d->in->event->time, then) / NS_PER_MS;
	return *ago_ms >= 0 && *ago_ms < d->test->every_ms;
}

static void decide_no_rule(struct draft *d)
{
	enum decision no = is_asked_for(d) ? DECIDE_REFUSE : DECIDE_SKIP;

	if (!d->account)
		draft_decide(d, no, "account %s is not in the configuration", d->subject.account);
	else if (!d->rule)
		draft_decide(d, no,
			     "no rule under functions is for %s/%s (plimsoll add writes one)",
			     d->subject.account, d->subject.function);
	else if (d->rule->has_tests && d->rule->test_count == 0)
		draft_decide(d, no,
			     "rule %s/%s says tests: [], so it is noticed and never called "
			     "(plimsoll add writes a rule of its own)",
			     d->rule->account, d->rule->pattern);
}

static void decide_by_cause(struct draft *d)
{
	struct buf causes = BUF_INIT(512), wanted = BUF_INIT(512);
	uint32_t bits = causes_of(d);

	add_causes(bits, &causes);
	add_causes(d->test->when, &wanted);
	if (is_first_seen(d) && !d->account->test_first_seen)
		draft_decide(d, DECIDE_SKIP, "first-seen");
	else if (!is_first_seen(d) && !(bits & d->test->when))
		draft_decide(d, DECIDE_SKIP, "%s changed, test %s is for %s", buf_str(&causes),
			     d->test->name, buf_str(&wanted));
	else if (is_first_seen(d))
		draft_note(d, "first-seen, and the account says test_first_seen");
	else
		draft_note(d, "%s changed", buf_str(&causes));
	buf_release(&causes);
	buf_release(&wanted);
}

static void decide_by_age(struct draft *d)
{
	char ago[UNIT_TEXT_SIZE], every[UNIT_TEXT_SIZE];
	int64_t ago_ms = 0;

	if (!was_run_lately(d, &ago_ms))
		return;
	unit_format_duration_ns(ago_ms * NS_PER_MS, ago);
	unit_format_duration_ns(d->test->every_ms * NS_PER_MS, every);
	draft_decide(d, DECIDE_SKIP, "tested %s ago, test %s is for every %s", ago, d->test->name,
		     every);
}

void choose(struct draft *d)
{
	decide_no_rule(d);
	if (d->decision != DECIDE_TEST)
		return;
	BUG_ON(!d->test);
	if (strcmp(d->purpose, "confirm") == 0) {
		draft_note(d, "confirms %s", d->confirms ? d->confirms : "a worse");
	} else if (is_asked_for(d)) {
		draft_note(d, "%s",
			   strcmp(kind_of(d), "schedule") == 0 ? "by schedule" : "asked for");
	} else {
		decide_by_cause(d);
		decide_by_age(d);
	}
}
