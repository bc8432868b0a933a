/* load_describe.c - a workload in words; see load_plan.h. */
#include <string.h>

#include "cmd/plimsoll/load_plan.h"
#include "common/base/clock.h"
#include "common/base/unit.h"

#define STAGES_SHOWN 6

static void add_time(struct buf *out, int64_t ms)
{
	char text[UNIT_TEXT_SIZE];

	unit_format_duration_ns(ms * NS_PER_MS, text);
	if (ms < 60 * MS_PER_S && ms % MS_PER_S == 0)
		snprintf(text, sizeof(text), "%lld s", (long long)(ms / MS_PER_S));
	buf_adds(out, text);
}

static void describe_stages(const struct load_work *w, struct buf *out)
{
	const char *unit = load_is_open(w) ? "/s" : "";

	buf_addf(out, "from %g%s", w->ramp.start, unit);
	for (size_t i = 0; i < w->ramp.count && i < STAGES_SHOWN; i++) {
		buf_addf(out, "%s to %g%s in ", i ? "," : "", w->ramp.stages[i].target, unit);
		add_time(out, w->ramp.stages[i].duration_ms);
	}
	if (w->ramp.count > STAGES_SHOWN)
		buf_addf(out, " and %zu more stages", w->ramp.count - STAGES_SHOWN);
	if (load_is_open(w))
		buf_addf(out, " (%llu calls, open model)", (unsigned long long)load_calls(w));
	else
		buf_adds(out, " users (closed model)");
}

static void describe_open(const struct load_work *w, struct buf *out)
{
	if (load_uses(w, "replay")) {
		buf_addf(out, "%llu recorded calls within ", (unsigned long long)w->replay_calls);
		add_time(out, w->duration_ms);
		buf_addf(out, ", %.6g in the fullest second (open model)", w->replay_peak_per_s);
		return;
	}
	buf_addf(out, "%.6g calls a second for ", w->rate_per_s);
	add_time(out, w->duration_ms);
	buf_addf(out, " (%llu calls, open model%s)", (unsigned long long)load_calls(w),
		 strcmp(w->arrival, "poisson") == 0 ? ", Poisson arrivals" : "");
}

static void describe_closed(const struct load_work *w, struct buf *out)
{
	buf_addf(out, "%u user%s, each calling again as soon as it has its answer, ", w->vus,
		 w->vus == 1 ? "" : "s");
	if (load_uses(w, "per-vu-iterations")) {
		buf_addf(out, "%llu times", (unsigned long long)w->iterations);
	} else if (w->iterations) {
		buf_addf(out, "until %llu calls are done", (unsigned long long)w->iterations);
	} else {
		buf_adds(out, "for ");
		add_time(out, w->duration_ms);
	}
	buf_adds(out, " (closed model)");
}

void load_describe(const struct load_work *w, struct buf *out)
{
	if (w->ramp.count)
		describe_stages(w, out);
	else if (load_is_open(w))
		describe_open(w, out);
	else
		describe_closed(w, out);
}
