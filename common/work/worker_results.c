/* worker_results.c - results: into the spool, to the collector, out of the spool. */
#include "common/work/worker_own.h"

#include <errno.h>
#include <string.h>

#include "common/base/crash.h"
#include "common/base/log.h"

/* ---- sending ---- */

static int send_line(struct worker *w, const struct spool_item *it, const char *line,
		     size_t len_bytes)
{
	struct wire_out o;

	wire_begin(&o, WIRE_RESULT);
	wire_text(&o, it->key.run);
	wire_number(&o, it->key.index);
	wire_text(&o, it->key.token);
	wire_text(&o, it->key.nonce);
	wire_text(&o, it->sha);
	wire_bytes(&o, line, len_bytes);
	return wire_send(&o, w->results, NULL);
}

/* False: nothing more goes out now. */
static bool send_again(struct worker *w, struct spool_item *it, int64_t now_us)
{
	struct buf line = BUF_INIT(BUS_MESSAGE_MAX_BYTES);
	int rc = spool_line(&w->spool, it, &line);
	bool has_room = true;

	if (rc == -EBADMSG) /* put aside; the item is gone */
		goto out;
	it->sent_us = now_us;
	if (!rc)
		has_room = send_line(w, it, line.data, line.len_bytes) == 0;
	if (!has_room)
		it->sent_us = now_us - RESEND_US + RETRY_US;
	if (rc)
		log_limited(&w->deaf, LOG_WARN, "cannot read the result of %s: %s", it->key.run,
			    strerror(-rc));
out:
	buf_release(&line);
	return has_room;
}

static bool is_due(const struct spool_item *it, int64_t now_us)
{
	return !it->sent_us || now_us - it->sent_us >= RESEND_US;
}

int64_t results_turn(struct worker *w, int64_t now_us)
{
	int64_t next_us = INT64_MAX;
	struct spool_item *following;
	size_t sent = 0;

	for (struct spool_item *it = w->spool.first; it; it = following) {
		following = it->next;
		if (is_due(it, now_us) && sent < RESEND_MAX)
			sent = send_again(w, it, now_us) ? sent + 1 : RESEND_MAX;
	}
	for (struct spool_item *it = w->spool.first; it; it = it->next)
		next_us = MIN_OF(next_us,
				 is_due(it, now_us) ? now_us + RETRY_US : it->sent_us + RESEND_US);
	return next_us;
}

void results_keep(struct worker *w, const struct held *h, const char *line, size_t len_bytes)
{
	struct spool_key key = {.index = h->index};
	struct spool_item *it;

	memcpy(key.run, h->run, sizeof(key.run));
	memcpy(key.token, h->token, sizeof(key.token));
	memcpy(key.nonce, w->nonce, sizeof(key.nonce));
	it = spool_put(&w->spool, &key, line, len_bytes);
	it->sent_us = boot_us();
	CRASH_POINT("worker.pre-result");
	if (send_line(w, it, line, len_bytes) != 0)
		it->sent_us = 0;
	CRASH_POINT("worker.post-result");
}

/* ---- what the intake says ---- */

static void take_ack(struct worker *w, const struct wire *m)
{
	const char *code = m->text[ACK_CODE];
	struct spool_item *it = spool_find(&w->spool, m->text[SHARD_RUN], m->number[SHARD_INDEX],
					   m->text[SHARD_TOKEN]);

	held_told(w, m->text[SHARD_RUN], m->number[SHARD_INDEX], m->text[SHARD_TOKEN]);
	if (!it)
		return;
	if (!strcmp(code, "BAD")) {
		log_warn("the collector refuses the result of %s as malformed", it->key.run);
		spool_reject(&w->spool, it);
		return;
	}
	if (strcmp(code, "OK") != 0 && strcmp(code, "DUP") != 0)
		log_info("nobody wants the result of %s any more (%s)", it->key.run, code);
	spool_drop(&w->spool, it);
	if (w->spool.count == SPOOL_FULL - 1)
		worker_say_ready_soon(w);
}

void results_heard(struct bus_socket *s, const struct bus_peer *peer, const struct bus_part *parts,
		   size_t count, void *ctx)
{
	struct worker *w = ctx;
	struct wire m;

	(void)s, (void)peer;
	if (wire_read(&m, parts, count) != 0 || m.kind != WIRE_ACK)
		wire_blame("the collector", parts, count);
	else
		take_ack(w, &m);
	wire_release(&m);
	worker_plan(w);
}
