/*
 * The junit sink: what the gates said, as a JUnit XML file that CI systems show.
 *
 * A suite is a run, a case is a gate or an objective. A gate that says no is a failure; what cannot
 * be told is an error (it is not known to be bad, and never green); a run that was not worth making
 * is skipped. The format has no official schema: this is the subset that Jenkins' and GitLab's
 * readers document (https://llg.cubic.org/docs/junit/).
 *
 * A run that is amended replaces what was said of it. The file is written once, when the input
 * ends: all or nothing.
 */
#include <errno.h>
#include <string.h>

#include "cmd/sink/figures.h"
#include "cmd/sink/gate.h"
#include "cmd/sink/sinks.h"
#include "common/base/fsio.h"
#include "common/base/log.h"

#define RUNS_MAX 1000
#define SUITE_MAX_BYTES (256u * 1024u)
#define FILE_MAX_BYTES (64u * 1024u * 1024u)

struct suite {
	unsigned tests, failures, errors, skipped;
	struct buf cases;
	char *subject, *name; /* owned */
};

struct to_junit {
	struct strmap suites; /* run -> struct suite, in the order they came */
};

static void free_suite(void *value)
{
	struct suite *s = value;

	buf_release(&s->cases);
	free(s->subject);
	free(s->name);
	free(s);
}

/* Text of strangers: no markup, and none of the characters that XML 1.0 does not have. */
static void add_text(struct buf *out, const char *text)
{
	for (const char *c = text ? text : ""; *c; c++) {
		if (*c == '&')
			buf_adds(out, "&amp;");
		else if (*c == '<')
			buf_adds(out, "&lt;");
		else if (*c == '>')
			buf_adds(out, "&gt;");
		else if (*c == '"')
			buf_adds(out, "&quot;");
		else
			buf_addc(out, (unsigned char)*c < ' ' ? ' ' : *c);
	}
}

static void add_attribute(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, " %s=\"", name);
	add_text(out, value);
	buf_addc(out, '"');
}

/* element: "failure", "error" or "skipped"; NULL = passed. */
static void add_case(struct suite *s, const char *name, const char *element, const char *type,
		     const char *message)
{
	struct buf *out = &s->cases;

	s->tests++;
	buf_adds(out, "    <testcase");
	add_attribute(out, "classname", s->subject);
	add_attribute(out, "name", name);
	if (!element) {
		buf_adds(out, "/>\n");
		return;
	}
	s->failures += strcmp(element, "failure") == 0;
	s->errors += strcmp(element, "error") == 0;
	s->skipped += strcmp(element, "skipped") == 0;
	buf_addf(out, ">\n      <%s", element);
	add_attribute(out, "type", type);
	add_attribute(out, "message", message);
	buf_adds(out, "/>\n    </testcase>\n");
}

static const char *element_of(enum exit_code code)
{
	if (code == EXIT_FINE)
		return NULL;
	return code == EXIT_GATE_NO ? "failure" : "error";
}

static void describe_gate(const struct json *m, char *out, size_t size)
{
	const char *kind = json_get_str(m, "diff_kind"), *reason = json_get_str(m, "reason");
	char diff[FIGURE_SIZE], interval[FIGURE_SIZE], tolerance[FIGURE_SIZE];

	figure_diff(json_get(m, "diff"), kind, diff);
	figure_interval(json_get(m, "low"), json_get(m, "high"), kind, interval);
	figure_tolerance(json_get(m, "tolerance"), tolerance);
	snprintf(out, size, "%s (%s), tolerance %s%s%s", diff, interval, tolerance,
		 reason ? ": " : "", reason ? reason : "");
}

static void add_gates(struct suite *s, const struct json *data)
{
	const struct json *metrics = json_get(data, "metrics");
	char text[400];

	for (size_t i = 0; i < json_len(metrics); i++) {
		const struct json *m = json_elem(metrics, i);
		const char *verdict = json_get_str(m, "verdict");

		if (!json_get_bool(m, "is_gate", false))
			continue;
		describe_gate(m, text, sizeof(text));
		add_case(s, json_get_str(m, "name"), element_of(gate_code_of_verdict(verdict)),
			 verdict && strcmp(verdict, "worse") == 0 ? gate_verdict_text(data)
								  : verdict,
			 text);
	}
}

static void add_objectives(struct suite *s, const struct json *objectives)
{
	for (size_t i = 0; i < json_len(objectives); i++) {
		const struct json *o = json_elem(objectives, i);
		enum exit_code code = gate_code_of_objective(o);
		const char *word = code == EXIT_GATE_NO ? "missed" : "unknown";
		char value[FIGURE_SIZE], text[FIGURE_SIZE + 20];

		figure_objective(o, value);
		snprintf(text, sizeof(text), json_get(o, "value") ? "%s: it is %s" : "%s: %s", word,
			 value);
		add_case(s, json_get_str(o, "name"), element_of(code), word, text);
	}
}

static char *name_of(const struct json *data)
{
	const char *test = json_get_str(data, "test"), *run = json_str(json_at(data, "run.id"));

	return x_asprintf("%s %s", test ? test : "run", run ? run : "");
}

static struct suite *make_suite(const struct event *ev)
{
	struct suite *s = x_calloc(1, sizeof(*s));
	const struct json *data = ev->data;
	const char *outcome = json_get_str(data, "outcome"), *reason = json_get_str(data, "reason");
	struct gate gate = {0};
	enum exit_code code = gate_code_of(&gate, data);

	buf_init(&s->cases, SUITE_MAX_BYTES);
	s->subject = x_strdup(ev->subject ? ev->subject : "?");
	s->name = name_of(data);
	if (outcome && strcmp(outcome, "valid") == 0) {
		add_gates(s, data);
		add_objectives(s, json_get(data, "objectives"));
		if (s->tests == 0)
			add_case(s, json_get_str(data, "verdict"), element_of(code), "run",
				 json_get_str(data, "verdict_reason"));
	} else {
		add_case(s, "run", code == EXIT_FINE ? "skipped" : "error", outcome, reason);
	}
	return s;
}

static void add_suite(struct buf *out, const struct suite *s)
{
	buf_adds(out, "  <testsuite");
	add_attribute(out, "name", s->subject);
	add_attribute(out, "package", s->name);
	buf_addf(out, " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\">\n%s", s->tests,
		 s->failures, s->errors, s->skipped, buf_str(&s->cases));
	buf_adds(out, "  </testsuite>\n");
}

static void render(const struct to_junit *own, struct buf *out)
{
	struct suite sum = {0};

	for (size_t i = 0; i < own->suites.count; i++) {
		const struct suite *s = own->suites.items[i].value;

		sum.tests += s->tests;
		sum.failures += s->failures;
		sum.errors += s->errors;
		sum.skipped += s->skipped;
	}
	buf_addf(out,
		 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"plimsoll\" "
		 "tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\">\n",
		 sum.tests, sum.failures, sum.errors, sum.skipped);
	for (size_t i = 0; i < own->suites.count; i++)
		add_suite(out, own->suites.items[i].value);
	buf_adds(out, "</testsuites>\n");
}

static enum exit_code junit_open(struct sink *s)
{
	if (stage_is_bus(s->world->st)) {
		log_error("--to junit=%s: its file is written when the input ends, which it does "
			  "not on the bus; plimsoll gate --to junit=PATH writes one of the archive",
			  s->value);
		return EXIT_USAGE;
	}
	s->own = x_calloc(1, sizeof(struct to_junit));
	return EXIT_FINE;
}

static int junit_deliver(struct sink *s, const struct event *ev)
{
	struct to_junit *own = s->own;
	const char *run = ev->run ? ev->run : ev->id;
	struct suite *before;

	if (own->suites.count == RUNS_MAX && !strmap_get(&own->suites, run)) {
		log_error("%s: run %s is left out; a file holds at most %d runs", s->value, run,
			  RUNS_MAX);
		return -E2BIG;
	}
	before = strmap_put(&own->suites, run, make_suite(ev));
	if (before)
		free_suite(before);
	return 0;
}

static enum exit_code junit_close(struct sink *s)
{
	struct to_junit *own = s->own;
	struct buf text = BUF_INIT(FILE_MAX_BYTES);
	int rc;

	render(own, &text);
	rc = buf_is_over(&text) ? -EFBIG
				: fs_write_atomic(s->value, buf_str(&text), text.len_bytes, 0644);
	if (rc != 0)
		log_error("cannot write %s: %s; --to junit=PATH names a file that can be written",
			  s->value, strerror(-rc));
	buf_release(&text);
	strmap_release(&own->suites, free_suite);
	free(own);
	return rc ? EXIT_AGAIN : EXIT_FINE;
}

const struct sink_kind sink_junit = {
	.name = "junit",
	.value_name = "PATH",
	.help = "a JUnit XML file for CI systems, written when the input ends",
	.wants = EV_BIT(EV_RUN_FINISHED),
	.open = junit_open,
	.deliver = junit_deliver,
	.close = junit_close,
};
