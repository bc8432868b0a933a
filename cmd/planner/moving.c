/* moving.c - loads that move: stages, named shapes, recorded traces. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/planner/draft.h"
#include "common/base/fsio.h"
#include "common/measure/shape.h"

static bool is_of_users(const struct config_test *t)
{
	return strcmp(t->executor, "ramping-vus") == 0;
}

static void fill_shape(struct draft *d)
{
	const struct config_test *t = d->test;
	struct ramp *r = &d->shape.ramp;
	bool is_whole = is_of_users(t);
	int rc = shape_make(t->shape, is_whole ? t->start_vus : t->start_rate_per_s,
			    is_whole ? t->vus : t->rate_per_s, t->duration_ms, write_seed(d), r);

	BUG_ON(rc != 0); /* settings know the names */
	r->start = is_whole ? round(r->start) : r->start;
	for (size_t i = 0; is_whole && i < r->count; i++)
		r->stages[i].target = round(r->stages[i].target);
}

static void fill_stages(struct draft *d)
{
	const struct config_test *t = d->test;
	struct ramp *r = &d->shape.ramp;

	r->start = is_of_users(t) ? t->start_vus : t->start_rate_per_s;
	for (size_t i = 0; i < t->stage_count; i++)
		r->stages[r->count++] =
			(struct ramp_stage){t->stages[i].target, t->stages[i].duration_ms};
}

static int read_trace(struct draft *d, char why[TRACE_WHY_SIZE])
{
	const struct config_replay *replay = &d->test->replay;
	char *path = x_asprintf("%s/%s", d->in->config->data_folder, replay->file);
	struct buf text = BUF_INIT(TRACE_BYTES_MAX);
	int rc = fs_read(path, &text);

	if (rc != 0)
		snprintf(why, TRACE_WHY_SIZE, "%s",
			 rc == -EFBIG ? "it has more than 64 MiB" : strerror(-rc));
	else
		rc = trace_parse(text.data ? text.data : "", text.len_bytes, &d->trace, why);
	if (rc == 0)
		digest_sha256_hex(text.data, text.len_bytes, d->trace_sha256_hex);
	if (rc == 0 && trace_calls(&d->trace, replay->rate) < d->shape.variants) {
		snprintf(why, TRACE_WHY_SIZE, "at rate %g it makes less than one call of each",
			 replay->rate);
		rc = -EINVAL;
	}
	buf_release(&text);
	free(path);
	return rc;
}

void moving_fill(struct draft *d)
{
	const struct config_test *t = d->test;
	char why[TRACE_WHY_SIZE];

	if (t->shape)
		fill_shape(d);
	else if (t->stage_count)
		fill_stages(d);
	if (!t->replay.file)
		return;
	if (read_trace(d, why) != 0) {
		draft_decide(d, DECIDE_REFUSE, "the trace %s cannot be replayed: %s",
			     t->replay.file, why);
		trace_release(&d->trace);
	}
	if (d->trace.count == 0) /* what is refused is estimated too: as one call */
		d->trace = (struct trace){x_calloc(1, sizeof(int64_t)), NULL, 1};
	d->shape.trace = &d->trace;
}
