/* load_replay.c - the trace of --replay: read, measured, and where loaders find it. */
#include <errno.h>

#include "cmd/plimsoll/load_plan.h"
#include "common/base/clock.h"
#include "common/base/unit.h"
#include "common/measure/trace.h"

#define SCALE_MAX 1e6

static int read_scale(const char *option, const char *text, double *out, struct buf *why)
{
	*out = 1;
	if (!text)
		return 0;
	if (unit_parse_double(text, out) || !(*out > 0 && *out <= SCALE_MAX))
		return buf_refuse(why, "--%s %s: expected a number above 0, as 2 or 0.5", option,
				  text);
	return 0;
}

static int measure(struct load_replay *r, const struct buf *text, struct load_work *w,
		   struct buf *why)
{
	char trace_why[TRACE_WHY_SIZE];
	struct trace t;
	size_t entry;
	int rc = trace_parse(buf_str(text), text->len_bytes, &t, trace_why);

	if (rc)
		return buf_refuse(why, "--replay %s: %s", r->file.name, trace_why);
	w->replay_calls = trace_calls(&t, r->times);
	w->replay_peak_per_s = trace_most_within(&t, r->speed, r->times, MS_PER_S);
	if (w->replay_calls)
		w->duration_ms = trace_due_ns(&t, r->speed, r->times, w->replay_calls - 1, &entry) /
					 NS_PER_MS +
				 1;
	trace_release(&t);
	return w->replay_calls
		       ? 0
		       : buf_refuse(why, "--replay %s: no call is left of it", r->file.name);
}

int load_replay_read(const struct load_ask *ask, struct load_replay *r, struct load_work *w,
		     struct buf *why)
{
	struct buf text;
	int rc = read_scale("speed", ask->speed, &r->speed, why);

	if (!rc)
		rc = read_scale("times", ask->times, &r->times, why);
	if (rc)
		return rc;
	rc = load_file_read("--replay", ask->replay, TRACE_BYTES_MAX, &r->file, &text, why);
	if (!rc)
		rc = measure(r, &text, w, why);
	buf_release(&text);
	return rc;
}
