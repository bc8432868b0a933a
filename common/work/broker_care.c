/* broker_care.c - recovery is a loop that always turns: leases that are over, indexes that lack
 * something; and what `status` wants to know of loaders. */
#include <stdlib.h>
#include <string.h>

#include "common/base/crash.h"
#include "common/base/log.h"
#include "common/json/json.h"
#include "common/work/broker_own.h"

#define REAP_NS NS_PER_S
#define REAP_MAX 100
#define AUDIT_NS (60 * NS_PER_S)
#define HINT_NS (10 * NS_PER_S)
#define HINT_SOON_NS (100 * NS_PER_MS)
#define HINT_MAX_BYTES (8u * 1024u)

/* ---- leases that are over ---- */

static void reap(struct broker *b);

static void on_reaped(const struct redis_reply *reply, void *ctx)
{
	struct broker *b = ctx;
	long n = jobs_said(reply, "OK") && reply->count > 1 && reply->parts[1].data
			 ? strtol(reply->parts[1].data, NULL, 10)
			 : 0;

	CRASH_POINT("broker.post-reap");
	b->is_reaping = false;
	if (n > 0) {
		log_info("%ld leases were over", n);
		offer_look(b);
	}
	if (n >= REAP_MAX)
		reap(b);
}

static void reap(struct broker *b)
{
	struct redis_args a;

	if (b->is_reaping || !redis_is_up(jobs_redis(b->jobs)))
		return;
	b->is_reaping = true;
	a = jobs_args("pl_reap");
	redis_arg_int(&a, REAP_MAX);
	jobs_try(b->jobs, &a, on_reaped, b);
}

static void on_reap_timer(struct loop *l, struct loop_timer *t)
{
	reap(CONTAINER_OF(t, struct broker, reap_timer));
	loop_timer_set_in(l, t, REAP_NS);
}

/* ---- the audit: a part of all hashes at a time, until the cursor is 0 again ---- */

static void audit(struct broker *b);

static void on_audited(const struct redis_reply *reply, void *ctx)
{
	struct broker *b = ctx;
	const char *cursor = "0";

	b->is_auditing = false;
	if (!jobs_said(reply, "OK") || reply->count < 2 || !reply->parts[1].data)
		return;
	for (size_t i = 2; i < reply->count; i++)
		log_warn("the audit mended %s", reply->parts[i].data);
	cursor = reply->parts[1].data;
	buf_clear(&b->cursor);
	buf_adds(&b->cursor, cursor);
	if (strcmp(cursor, "0") != 0)
		audit(b);
}

static void audit(struct broker *b)
{
	struct redis_args a;

	if (b->is_auditing || !redis_is_up(jobs_redis(b->jobs)))
		return;
	b->is_auditing = true;
	a = jobs_args("pl_audit");
	redis_arg(&a, b->cursor.len_bytes ? buf_str(&b->cursor) : "0");
	jobs_try(b->jobs, &a, on_audited, b);
}

static void on_audit_timer(struct loop *l, struct loop_timer *t)
{
	struct broker *b = CONTAINER_OF(t, struct broker, audit_timer);
	bool is_up = redis_is_up(jobs_redis(b->jobs));

	audit(b);
	loop_timer_set_in(l, t, is_up ? AUDIT_NS : REAP_NS);
}

/* ---- what status shows of loaders ---- */

static void add_hint(struct redis_args *a, const struct broker *b, const struct slot *s)
{
	struct buf text = BUF_INIT(HINT_MAX_BYTES);
	struct json *o = json_obj();
	int64_t silent_ms = mono_diff_ns(mono_now(), s->heard) / NS_PER_MS;

	(void)b;
	json_put_str(o, "process", s->nonce);
	json_put_int(o, "free", (int64_t)slot_room(s));
	json_put_int(o, "slots", (int64_t)s->slots);
	json_put_str(o, "accounts", s->accounts);
	json_put_int(o, "heard_ms", wall_ms(wall_now()) - silent_ms);
	json_write(o, &text);
	redis_arg(a, s->name);
	redis_arg(a, buf_str(&text));
	json_free(o);
	buf_release(&text);
}

static void on_hint_timer(struct loop *l, struct loop_timer *t)
{
	struct broker *b = CONTAINER_OF(t, struct broker, hint_timer);
	struct redis_args a;

	loop_timer_set_in(l, t, HINT_NS);
	if (!b->slots || !redis_is_up(jobs_redis(b->jobs)))
		return;
	a = jobs_args("pl_loaders");
	for (const struct slot *s = b->slots; s; s = s->next)
		add_hint(&a, b, s);
	jobs_try(b->jobs, &a, NULL, NULL);
}

void hint_soon(struct broker *b)
{
	loop_timer_set_in(b->loop, &b->hint_timer, HINT_SOON_NS);
}

void hint_drop(struct broker *b, const char *name)
{
	struct redis_args a;

	if (!redis_is_up(jobs_redis(b->jobs)))
		return;
	a = jobs_args("pl_loaders");
	redis_arg(&a, name);
	redis_arg(&a, "");
	jobs_try(b->jobs, &a, NULL, NULL);
}

/* ---- life ---- */

void care_open(struct broker *b)
{
	buf_init(&b->cursor, 200);
	b->reap_timer.run = on_reap_timer;
	b->audit_timer.run = on_audit_timer;
	b->hint_timer.run = on_hint_timer;
	loop_timer_set_in(b->loop, &b->reap_timer, 0);
	loop_timer_set_in(b->loop, &b->audit_timer, 0);
	loop_timer_set_in(b->loop, &b->hint_timer, HINT_SOON_NS);
}

void care_close(struct broker *b)
{
	loop_timer_clear(b->loop, &b->reap_timer);
	loop_timer_clear(b->loop, &b->audit_timer);
	loop_timer_clear(b->loop, &b->hint_timer);
	buf_release(&b->cursor);
}
