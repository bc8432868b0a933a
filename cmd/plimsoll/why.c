/* plimsoll why: why a function was tested, or not. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/plimsoll/bus_view.h"
#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/look.h"
#include "common/base/log.h"
#include "common/base/unit.h"
#include "common/event/event.h"

static void print_causes(uint32_t when)
{
	const char *comma = "";

	for (unsigned c = 0; c < CAUSE_COUNT; c++) {
		if (!(when & (1u << c)))
			continue;
		printf("%s%s", comma, cause_name((enum cause)c));
		comma = ", ";
	}
}

static void print_test(const struct config *c, const char *name)
{
	const struct config_test *t = config_test(c, name);
	char every[UNIT_TEXT_SIZE];

	if (!t)
		return;
	printf("  test %-12s %s; on: ", name, t->executor);
	print_causes(t->when);
	if (t->every_ms) {
		unit_format_duration_ns(t->every_ms * NS_PER_MS, every);
		printf("; and every %s", every);
	}
	putchar('\n');
}

static void print_rule(const struct config *c, const struct config_function *rule)
{
	if (!rule) {
		puts("no rule matches: noticed, never tested. plimsoll add FUNCTION writes a "
		     "rule.");
		return;
	}
	printf("rule %s/%s (%s:%d)\n", rule->account, rule->pattern, rule->place.file,
	       rule->place.line);
	if (rule->has_tests && !rule->test_count)
		puts("  tests: [], so it is noticed and never called");
	for (size_t i = 0; i < rule->test_count; i++)
		print_test(c, rule->tests[i]);
	if (!rule->has_tests)
		print_test(c, "compare");
}

static void print_run(const struct archive_run *r, void *ctx)
{
	char date[17];

	look_short_date(r->finished_at, date);
	look_printf("  %s  %s %s: %s%s%s  (%s)\n", date,
		    *r->change_kind ? r->change_kind : "change", r->outcome, r->verdict,
		    *r->reason || *r->verdict_reason ? ", because " : "",
		    *r->verdict_reason ? r->verdict_reason : r->reason, r->run);
	++*(size_t *)ctx;
}

static void print_baseline(const struct archive_baseline *b, void *ctx)
{
	char at[WALL_RFC3339_SIZE], date[17];

	(void)ctx;
	wall_format_rfc3339(b->accepted_at, at);
	look_short_date(at, date);
	look_printf("baseline: version %s, accepted %s%s%s; later changes are held against it\n",
		    b->version, date, *b->reason ? ": " : "", b->reason);
}

static void print_history(const struct settings *s, const char *subject)
{
	struct archive *a = look_archive(s, ARCHIVE_READ);
	char why[ARCHIVE_WHY_SIZE];
	size_t count = 0;

	if (!a)
		return;
	if (archive_accepted(a, subject, print_baseline, NULL, why) == -EIO)
		log_error("%s", why);
	puts("last changes");
	if (archive_runs(a, &(struct archive_query){.function = subject, .limit = 5}, print_run,
			 &count, why))
		log_error("%s", why);
	if (!count)
		puts("  none has come yet");
	archive_close(a);
}

struct why_opts {
	struct bus_opts bus;
};

static const struct opt rows[] = {BUS_OPT_ROWS(struct why_opts, bus)};

static enum exit_code why(const struct door *d)
{
	const struct why_opts *o = d->opts;
	const struct settings *s = &d->settings;
	enum exit_code code = EXIT_FINE;
	struct subject subject;

	if (subject_parse(d->subject, &subject))
		return EXIT_USAGE;
	print_rule(s->config, config_rule(s->config, subject.account, subject.function));
	if (bus_view_wanted(s))
		code = bus_view_status(s, &o->bus, d->subject);
	print_history(s, d->subject);
	return code;
}

const struct command command_why = {
	.name = "why",
	.group = "look",
	.help = "why a function was tested, or not",
	.synopsis = "FUNCTION",
	.about = "Which rule holds for a function, which changes would be tested, and what became "
		 "of\n"
		 "the last changes.",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.opts_bytes = sizeof(struct why_opts),
	.rest_min = 1,
	.rest_max = 1,
	.wants = "name one function",
	.needs = NEEDS_FUNCTION,
	.run = why,
};
