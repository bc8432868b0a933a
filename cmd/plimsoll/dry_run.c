#include "cmd/plimsoll/dry_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmd/plimsoll/events.h"
#include "common/base/log.h"
#include "common/base/unit.h"
#include "common/event/event.h"

struct tally {
	size_t plans;
	bool is_refused;
};

static const char *text_or(const char *text, const char *otherwise)
{
	return text && *text ? text : otherwise;
}

static void print_estimate(const struct json *e)
{
	char time[UNIT_TEXT_SIZE];

	unit_format_duration_ns(json_get_int(e, "duration_ms", 0) * NS_PER_MS, time);
	printf("  calls             %lld\n  money             %s USD (a call's time from: %s)\n"
	       "  concurrency       %lld at most\n  time              %s\n",
	       (long long)json_get_int(e, "requests", 0),
	       text_or(json_get_str(e, "cost_usd"), "unknown"),
	       text_or(json_get_str(e, "duration_basis"), "nothing known"),
	       (long long)json_get_int(e, "peak_concurrency", 0), time);
	if (json_get(e, "detectable_ratio"))
		printf("  smallest effect   %.1f %% of latency\n",
		       100 * json_get_real(e, "detectable_ratio", 0));
	else
		puts("  smallest effect   none: nothing to compare with");
}

#define WOULD_RUN "dry-run: " /* how the planner begins the reason of a plan that would run */

static const struct answer {
	const char *decision, *reason, *words; /* reason: how it begins */
} answers[] = {
	{"skip", WOULD_RUN, "would run"},
	{"skip", "", "would be skipped"},
	{"refuse", "", "refused"},
};

static bool begins_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

static void print_answer(const struct event *ev, struct tally *t)
{
	const char *decision = text_or(json_get_str(ev->data, "decision"), "?");
	const char *reason = text_or(json_get_str(ev->data, "reason"), "");
	const char *words = decision;

	for (size_t i = ARRAY_LEN(answers); i-- > 0;)
		if (!strcmp(decision, answers[i].decision) &&
		    begins_with(reason, answers[i].reason))
			words = answers[i].words;
	t->plans++;
	t->is_refused |= !strcmp(decision, "refuse");
	printf("%s, test %s: %s (%s)\n", text_or(ev->subject, "?"),
	       text_or(json_get_str(ev->data, "test"), "none"), words,
	       reason + (begins_with(reason, WOULD_RUN) ? strlen(WOULD_RUN) : 0));
}

static void print_plan(const struct event *ev, struct tally *t)
{
	const char *old = json_get_str(json_at(ev->data, "variants.0"), "qualifier");
	const char *new = json_get_str(json_at(ev->data, "variants.1"), "qualifier");

	print_answer(ev, t);
	if (old && new)
		printf("  versions          %s against %s\n", old, new);
	if (json_get(ev->data, "estimate"))
		print_estimate(json_get(ev->data, "estimate"));
}

static void see(const struct line *line, void *ctx)
{
	char why[EVENT_WHY_SIZE];
	struct event ev;

	if (event_parse(line->data, line->len_bytes, &ev, why))
		return;
	if (ev.kind == EV_RUN_PLANNED)
		print_plan(&ev, ctx);
	event_release(&ev);
}

enum exit_code dry_run(const struct fullpipe *f)
{
	struct pipeline p = {.out_fd = memfd_create("plan", MFD_CLOEXEC)};
	struct tally t = {0};
	enum exit_code code;

	if (p.out_fd < 0) {
		log_error("cannot hold the plan: %s", strerror(errno));
		return EXIT_AGAIN;
	}
	fullpipe_build(f, &p);
	code = pipeline_run(&p);
	if (lseek(p.out_fd, 0, SEEK_SET) == 0)
		events_read_fd(p.out_fd, see, &t);
	close(p.out_fd);
	pipeline_release(&p);
	if (code != EXIT_FINE)
		return code;
	if (!t.plans) {
		log_error("no plan came out; see the messages above");
		return EXIT_CANNOT_TELL;
	}
	puts("Nothing was called.");
	if (fflush(stdout))
		return EXIT_AGAIN;
	return t.is_refused ? EXIT_USAGE : EXIT_FINE;
}
