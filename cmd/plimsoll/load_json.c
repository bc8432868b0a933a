/* load_json.c - the result as one JSON object, and as an HdrHistogram log; see load_report.h. */
#include <math.h>
#include <string.h>

#include "cmd/plimsoll/load_report.h"
#include "common/base/clock.h"
#include "common/stats/hlog.h"

static struct json *requests_json(const struct load_result *r)
{
	struct json *o = json_obj();

	json_put_int(o, "due", (int64_t)r->due);
	json_put_int(o, "sent", (int64_t)r->sent);
	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		json_put_int(o, outcome_name((enum outcome)i), (int64_t)r->outcomes[i]);
	json_put_int(o, "warmup", (int64_t)r->warmup_due);
	return o;
}

static struct json *figures_json(const struct hdr *h)
{
	static const struct {
		const char *name;
		double percent;
	} points[] = {
		{"min", 0},
#define X(name, percent) {name, percent},
		LOAD_PERCENTILES(X)
#undef X
			{"max", 100},
	};
	struct json *o = json_obj();

	json_put_int(o, "count", hdr_count(h));
	for (size_t i = 0; i < ARRAY_LEN(points) && hdr_count(h); i++)
		json_put_int(o, points[i].name, hdr_percentile(h, points[i].percent));
	if (hdr_count(h))
		json_put_real(o, "mean", round(hdr_mean(h) * 10) / 10);
	return o;
}

static struct json *rate_json(const struct load_result *r)
{
	struct json *o = json_obj();

	if (r->asked_per_s > 0)
		json_put_real(o, "asked_per_s", r->asked_per_s);
	json_put_real(o, "achieved_per_s", r->achieved_per_s);
	return o;
}

static struct json *bytes_json(const struct load_result *r)
{
	struct json *o = json_obj();

	json_put_int(o, "sent", (int64_t)r->bytes_sent);
	json_put_int(o, "received", (int64_t)r->bytes_received);
	return o;
}

static struct json *quality_json(const struct load_result *r)
{
	struct json *o = json_obj();

	json_put_bool(o, "is_suspect", json_len(r->suspect) > 0);
	json_put_real(o, "achieved_ratio",
		      r->asked_per_s > 0 ? r->achieved_per_s / r->asked_per_s : 1);
	json_put_int(o, "late_p50_us", r->late_p50_us);
	json_put_int(o, "late_p99_us", r->late_p99_us);
	json_put_int(o, "loop_p99_us", r->loop_p99_us);
	json_put_real(o, "cpu_ratio", r->cpu_ratio);
	json_put_real(o, "others_cpu_ratio", r->others_cpu_ratio);
	json_put_real(o, "cpu_wait_ratio", r->cpu_wait_ratio);
	json_put_real(o, "steal_ratio", r->steal_ratio);
	json_put_real(o, "waited_ratio", r->waited_ratio);
	json_put(o, "limit", r->limit[0] ? json_new_str(r->limit) : json_new_null());
	json_put(o, "suspect", json_copy(r->suspect));
	return o;
}

static void put_result(struct json *o, const struct load_work *w, const struct load_result *r)
{
	if (w) {
		json_put_str(o, "executor", w->executor);
		json_put_str(o, "model", load_is_open(w) ? "open" : "closed");
	}
	json_put(o, "requests", requests_json(r));
	json_put(o, "rate", rate_json(r));
	json_put(o, "response_us", figures_json(r->figures[LOAD_RESPONSE]));
	json_put(o, "service_us", figures_json(r->figures[LOAD_SERVICE]));
	if (r->has_bytes)
		json_put(o, "bytes", bytes_json(r));
	json_put(o, "reasons", json_copy(r->reasons));
	json_put(o, "quality", quality_json(r));
	json_put_int(o, "duration_ms", r->duration_ms);
	if (r->failure[0])
		json_put_str(o, r->failed ? "failure" : "ended", r->failure);
}

static struct json *limits_json(const struct load_report *rep)
{
	struct json *a = json_arr();

	for (size_t i = 0; i < rep->limit_count; i++) {
		const struct load_limit *l = &rep->limits[i];
		struct json *o = json_obj();

		json_put_str(o, "name", l->name);
		json_put_real(o, "limit", l->limit);
		json_put_real(o, "value", l->value);
		json_put_str(o, "unit", l->is_ratio ? "1" : "us");
		json_put_bool(o, "is_met", l->is_met);
		json_push(a, o);
	}
	return a;
}

static struct json *tool_json(void)
{
	struct json *o = json_obj();

	json_put_str(o, "name", "plimsoll");
	json_put_str(o, "version", PLIMSOLL_VERSION);
	return o;
}

static struct json *cpu_json(const struct load_run *run)
{
	struct json *o = json_obj();
	uint64_t calls = run->total.sent + run->total.warmup_due;

	json_put_real(o, "loaders_s", round(run->cpu_s * 1e6) / 1e6);
	if (calls)
		json_put_real(o, "us_per_request", round(run->cpu_s * 1e9 / (double)calls) / 1e3);
	return o;
}

struct json *load_report_json(const struct load_report *rep)
{
	const struct load_run *run = rep->run;
	bool is_one = run->plan->work_count == 1;
	struct json *o = json_obj(), *scenarios;
	char text[WALL_RFC3339_SIZE], seed[32];

	json_put(o, "tool", tool_json());
	json_put_str(o, "run", run->id);
	json_put_str(o, "target",
		     run->target->function ? run->target->authority : run->target->url);
	if (run->total.started_s > 0) {
		wall_format_rfc3339((struct wall){(int64_t)(run->total.started_s * 1e9)}, text);
		json_put_str(o, "started_at", text);
	}
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)run->plan->seed);
	json_put_str(o, "seed", seed);
	json_put_int(o, "processes", run->plan->processes);
	put_result(o, is_one ? &run->plan->works[0] : NULL, &run->total);
	json_put(o, "cpu", cpu_json(run));
	json_put_bool(o, "is_complete", load_run_is_complete(run));
	json_put_bool(o, "is_cancelled", run->was_cancelled);
	json_put(o, "limits", limits_json(rep));
	if (is_one)
		return o;
	scenarios = json_obj();
	for (size_t i = 0; i < run->plan->work_count; i++) {
		struct json *one = json_obj();

		put_result(one, &run->plan->works[i], &run->results[i]);
		json_put(scenarios, run->plan->works[i].name, one);
	}
	json_put(o, "scenarios", scenarios);
	return o;
}

static void add_intervals(const struct load_result *r, const char *prefix, double log_start_s,
			  struct buf *out)
{
	char tag[LOAD_NAME_SIZE + 16];

	for (size_t f = 0; f < LOAD_FIGURE_COUNT; f++) {
		snprintf(tag, sizeof(tag), "%s%s%s", prefix ? prefix : "", prefix ? "." : "",
			 load_figure_name((enum load_figure)f));
		hlog_write_interval(out, tag, MAX_OF(r->started_s - log_start_s, 0.0),
				    (double)r->duration_ms / 1e3, r->figures[f]);
	}
}

void load_report_hdr(const struct load_report *rep, struct buf *out)
{
	const struct load_run *run = rep->run;

	hlog_write_head(out, run->total.started_s);
	if (run->plan->work_count == 1) {
		add_intervals(&run->total, NULL, run->total.started_s, out);
		return;
	}
	for (size_t i = 0; i < run->plan->work_count; i++)
		add_intervals(&run->results[i], run->plan->works[i].name, run->total.started_s,
			      out);
}
