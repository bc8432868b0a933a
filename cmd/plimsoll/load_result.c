/* load_result.c - adds up shards; see load_result.h. */
#include "cmd/plimsoll/load_result.h"

#include <errno.h>
#include <string.h>

#include "common/base/clock.h"

#define LEAST_S 1e-3 /* what a duration is told in */

static const char *const figure_names[LOAD_FIGURE_COUNT] = {"response", "service"};

const char *load_figure_name(enum load_figure f)
{
	return figure_names[f];
}

void load_result_init(struct load_result *r)
{
	*r = (struct load_result){.suspect = json_arr(), .reasons = json_obj()};
	for (size_t f = 0; f < LOAD_FIGURE_COUNT; f++)
		r->figures[f] = hdr_new();
}

void load_result_release(struct load_result *r)
{
	for (size_t f = 0; f < LOAD_FIGURE_COUNT; f++)
		hdr_free(r->figures[f]);
	json_free(r->suspect);
	json_free(r->reasons);
	*r = (struct load_result){0};
}

static int add_figures(struct load_result *r, const struct json *series)
{
	for (size_t f = 0; f < LOAD_FIGURE_COUNT; f++) {
		const char *text = json_get_str(series, figure_names[f]);
		struct hdr *h;
		int rc = text ? hdr_decode(text, strlen(text), &h) : 0;

		if (rc)
			return rc;
		if (!text)
			continue;
		rc = hdr_add(r->figures[f], h);
		hdr_free(h);
		if (rc)
			return rc;
	}
	return 0;
}

static int add_series(struct load_result *r, const struct json *series)
{
	const struct json *outcomes = json_get(series, "outcomes");

	for (size_t o = 0; o < OUTCOME_COUNT; o++)
		r->outcomes[o] +=
			(uint64_t)json_get_int(outcomes, outcome_name((enum outcome)o), 0);
	return add_figures(r, series);
}

static void add_counts(struct json *into, const struct json *from)
{
	struct json *count;
	const char *name;

	for (void *it = NULL; json_next(from, &it, &name, &count);)
		json_put_int(into, name, json_get_int(into, name, 0) + json_int(count));
}

static bool has_text(const struct json *list, const char *text)
{
	for (size_t i = 0; i < json_len(list); i++)
		if (!strcmp(json_str(json_elem(list, i)), text))
			return true;
	return false;
}

static void add_quality(struct load_result *r, const struct json *q)
{
	const struct json *suspect = json_get(q, "suspect");
	const char *limit = json_get_str(q, "limit");

	r->late_p50_us = MAX_OF(r->late_p50_us, json_get_int(q, "late_p50_us", 0));
	r->late_p99_us = MAX_OF(r->late_p99_us, json_get_int(q, "late_p99_us", 0));
	r->loop_p99_us = MAX_OF(r->loop_p99_us, json_get_int(q, "loop_p99_us", 0));
	r->cpu_ratio = MAX_OF(r->cpu_ratio, json_get_real(q, "cpu_ratio", 0));
	r->others_cpu_ratio = MAX_OF(r->others_cpu_ratio, json_get_real(q, "others_cpu_ratio", 0));
	r->cpu_wait_ratio = MAX_OF(r->cpu_wait_ratio, json_get_real(q, "cpu_wait_ratio", 0));
	r->steal_ratio = MAX_OF(r->steal_ratio, json_get_real(q, "steal_ratio", 0));
	r->waited_ratio = MAX_OF(r->waited_ratio, json_get_real(q, "waited_ratio", 0));
	if (limit && !r->limit[0])
		snprintf(r->limit, sizeof(r->limit), "%s", limit);
	for (size_t i = 0; i < json_len(suspect); i++) {
		const char *text = json_str(json_elem(suspect, i));

		if (text && !has_text(r->suspect, text))
			json_push(r->suspect, json_new_str(text));
	}
}

static void note_end(struct load_result *r, const struct json *data)
{
	const char *outcome = json_get_str(data, "outcome"), *reason = json_get_str(data, "reason");
	bool is_complete = outcome && !strcmp(outcome, "complete");

	if (outcome && !strcmp(outcome, "error"))
		r->failed++;
	else if (!is_complete)
		r->was_cut = true;
	if (!is_complete && reason && !r->failure[0])
		snprintf(r->failure, sizeof(r->failure), "%s", reason);
}

/* Seconds in which calls were sent: what was asked for, or longer when the loader fell behind. */
static double sending_s(const struct load_work *w, const struct json *data)
{
	double took_s =
		(double)json_get_int(data, "duration_ms", 0) / 1e3 - (double)w->warmup_ms / 1e3;
	double sending = (double)json_get_int(data, "sending_ms", 0) / 1e3;

	if (load_is_open(w) && json_get_str(data, "outcome") &&
	    !strcmp(json_get_str(data, "outcome"), "complete"))
		return MAX_OF((double)w->duration_ms / 1e3, sending);
	/* One call that hangs at the end must not make all others look slow. */
	return sending > 0 || load_is_open(w) ? sending : MAX_OF(took_s, LEAST_S);
}

static void add_rate(struct load_result *r, const struct load_work *w, uint32_t processes,
		     const struct json *data)
{
	uint64_t sent = (uint64_t)json_get_int(data, "sent", 0);
	double s = sending_s(w, data);

	r->sent += sent;
	if (load_is_open(w))
		r->asked_per_s += load_mean_per_s(w) / processes;
	r->has_closed |= !load_is_open(w);
	if (r->has_closed)
		r->asked_per_s = 0;
	if (s > 0)
		r->achieved_per_s += (double)sent / s;
}

static void add_bytes(struct load_result *r, const struct json *bytes)
{
	r->has_bytes |= bytes != NULL;
	r->bytes_sent += (uint64_t)json_get_int(bytes, "sent", 0);
	r->bytes_received += (uint64_t)json_get_int(bytes, "received", 0);
}

static void add_times(struct load_result *r, const struct json *data)
{
	const char *text = json_get_str(data, "started_at");
	struct wall at;

	r->duration_ms = MAX_OF(r->duration_ms, json_get_int(data, "duration_ms", 0));
	if (!text || wall_parse_rfc3339(text, &at))
		return;
	if (r->started_s == 0 || (double)at.ns / 1e9 < r->started_s)
		r->started_s = (double)at.ns / 1e9;
}

int load_result_add(struct load_result *r, const struct load_work *w, uint32_t processes,
		    const struct json *data)
{
	const struct json *series = json_get(data, "series"), *warmup = json_get(data, "warmup");

	for (size_t i = 0; i < json_len(series); i++) {
		int rc = add_series(r, json_elem(series, i));

		if (rc)
			return rc;
	}
	for (size_t i = 0; i < json_len(warmup); i++)
		r->warmup_due += (uint64_t)json_get_int(json_elem(warmup, i), "due", 0);
	r->shards++;
	r->due += (uint64_t)json_get_int(data, "due", 0);
	add_rate(r, w, processes, data);
	add_bytes(r, json_get(data, "bytes"));
	add_times(r, data);
	add_counts(r->reasons, json_get(data, "error_reasons"));
	add_counts(r->reasons, json_get(data, "throttle_reasons"));
	add_quality(r, json_get(data, "quality"));
	note_end(r, data);
	return 0;
}

bool load_was_stopped(const struct load_result *r, enum outcome o)
{
	return r->was_cut && (o == OUT_NOT_SENT || o == OUT_ABORTED);
}

double load_error_ratio(const struct load_result *r)
{
	uint64_t counted = r->due;

	for (size_t o = 0; o < OUTCOME_COUNT; o++)
		if (load_was_stopped(r, (enum outcome)o))
			counted -= r->outcomes[o];
	return counted ? (double)(counted - r->outcomes[OUT_OK]) / (double)counted : 0;
}
