/* load_shard.c - one shard of a load as the data of shard.planned; see load_target.h. */
#include "cmd/plimsoll/load_target.h"
#include "common/digest/digest.h"

#define BLOCK_MS 2500
#define BODY_MAX_BYTES (1024 * 1024)
#define DEADLINE_MARGIN_MS (60 * MS_PER_S)

static struct json *where_json(const struct load_shard *sh)
{
	struct json *o = json_obj();

	json_put_int(o, "index", (int64_t)(sh->work * sh->plan->processes + sh->process));
	json_put_int(o, "of", (int64_t)(sh->plan->work_count * sh->plan->processes));
	return o;
}

/* Names of credentials; their values are files that only this user can read. */
static struct json *headers_json(const struct load_target *t)
{
	struct json *o = json_obj();
	char name[32];

	for (size_t i = 0; i < t->header_count; i++) {
		snprintf(name, sizeof(name), "header-%zu", i);
		json_put_str(o, t->headers[i].name, name);
	}
	return o;
}

static struct json *target_json(const struct load_target *t)
{
	struct json *o = json_obj();

	json_put_str(o, "variant", "new");
	json_put_str(o, "method", t->kind);
	json_put_str(o, "url", t->url);
	if (t->is_template)
		json_put_bool(o, "template", true);
	json_put_str(o, "http_method", t->http_method);
	json_put_str(o, "http_version", t->http_version);
	json_put_str(o, "unix_socket", t->unix_socket);
	json_put_str(o, "qualifier", t->qualifier);
	json_put_str(o, "region", t->region);
	json_put_str(o, "function", t->function);
	json_put(o, "headers", headers_json(t));
	json_put(o, "expect", json_copy(t->expect));
	json_put_str(o, "instance", t->instance);
	json_put_str(o, "cold", t->cold);
	json_put_str(o, "ca", t->ca_file);
	return o;
}

static void put_ramp(struct json *o, const struct load_work *w)
{
	bool is_open = load_is_open(w);
	struct json *stages = json_arr();

	if (is_open)
		json_put_real(o, "start_rate_per_s", w->ramp.start);
	else
		json_put_int(o, "start_vus", (int64_t)w->ramp.start);
	for (size_t i = 0; i < w->ramp.count; i++) {
		struct json *one = json_obj();

		if (is_open)
			json_put_real(one, "rate_per_s", w->ramp.stages[i].target);
		else
			json_put_int(one, "vus", (int64_t)w->ramp.stages[i].target);
		json_put_int(one, "duration_ms", w->ramp.stages[i].duration_ms);
		json_push(stages, one);
	}
	json_put(o, "stages", stages);
}

static void put_replay(struct json *o, const struct load_replay *r)
{
	struct json *one = json_obj();

	json_put_str(one, "file", r->file.name);
	json_put_str(one, "sha256", r->file.sha256_hex);
	json_put_real(one, "speed", r->speed);
	json_put_real(one, "rate", r->times);
	json_put(o, "replay", one);
}

static struct json *workload_json(const struct load_work *w, const struct load_plan *plan)
{
	struct json *o = json_obj();
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)plan->seed);
	json_put_str(o, "executor", w->executor);
	if (w->replay_calls)
		put_replay(o, &plan->replay);
	else if (w->ramp.count)
		put_ramp(o, w);
	else if (load_is_open(w))
		json_put_real(o, "rate_per_s", w->rate_per_s);
	else
		json_put_int(o, "vus", w->vus);
	if (w->iterations)
		json_put_int(o, "iterations", (int64_t)w->iterations);
	json_put_str(o, "arrival", w->arrival);
	/* A round is one call, so that exactly as many are due as were asked for. */
	json_put_int(o, "spread", load_is_open(w) ? 1 : 0);
	json_put_int(o, "warmup_ms", w->warmup_ms);
	json_put_int(o, "duration_ms", w->duration_ms);
	json_put_int(o, "block_ms", BLOCK_MS);
	json_put_str(o, "seed", text);
	return o;
}

static struct json *rows_json(const struct load_rows *r)
{
	struct json *o = json_obj();

	json_put_str(o, "file", r->file);
	json_put_str(o, "sha256", r->sha256_hex);
	json_put_str(o, "format", r->format);
	json_put_str(o, "order", r->order);
	return o;
}

static struct json *payloads_json(const struct load_target *t)
{
	struct json *a = json_arr();

	for (size_t i = 0; i < t->payload_count; i++) {
		struct buf text = BUF_INIT(64 * 1024);
		struct json *o = json_obj();

		digest_base64(t->payloads[i].bytes, t->payloads[i].len_bytes, &text);
		json_put_real(o, "weight", t->payloads[i].weight);
		json_put_str(o, "base64", buf_str(&text));
		json_put_str(o, "template", t->payloads[i].filling);
		if (t->payloads[i].rows.file)
			json_put(o, "rows", rows_json(&t->payloads[i].rows));
		json_push(a, o);
		buf_release(&text);
	}
	return a;
}

static struct json *limits_json(const struct load_work *w, int64_t timeout_ms)
{
	struct json *o = json_obj();

	json_put_int(o, "in_flight", w->in_flight);
	if (w->connections)
		json_put_int(o, "connections", w->connections);
	if (w->streams)
		json_put_int(o, "streams", w->streams);
	json_put_int(o, "timeout_ms", timeout_ms);
	json_put_int(o, "body_bytes", BODY_MAX_BYTES);
	return o;
}

struct json *load_shard_json(const struct load_shard *sh)
{
	const struct load_work *whole = &sh->plan->works[sh->work];
	int64_t last_ms = whole->start_ms + whole->warmup_ms + whole->duration_ms +
			  sh->plan->timeout_ms + DEADLINE_MARGIN_MS;
	struct json *o = json_obj(), *targets = json_arr();
	char text[WALL_RFC3339_SIZE];
	struct load_work part;

	load_cut(whole, sh->process, sh->plan->processes, &part);
	json_put_str(o, "run", sh->run);
	json_put(o, "shard", where_json(sh));
	json_put_str(o, "account", sh->target->account);
	wall_format_rfc3339(wall_add_ns(wall_now(), last_ms * NS_PER_MS), text);
	json_put_str(o, "deadline", text);
	if (sh->start_at.ns) {
		wall_format_rfc3339(wall_add_ns(sh->start_at, whole->start_ms * NS_PER_MS), text);
		json_put_str(o, "start_at", text);
	}
	json_push(targets, target_json(sh->target));
	json_put(o, "targets", targets);
	json_put(o, "workload", workload_json(&part, sh->plan));
	json_put(o, "payloads", payloads_json(sh->target));
	json_put(o, "limits", limits_json(&part, sh->plan->timeout_ms));
	return o;
}
