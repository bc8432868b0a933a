/*
 * wire.h - the messages between loaders, broker and intake: their parts (rank 4).
 *
 * One table says what each message holds. A part is text: a word ([A-Za-z0-9._-], at most 64), a
 * number (0 to 2^53), a text (printable, at most 4 KiB), a SHA-256 in hex, or an event's line. More
 * parts than the table has are ignored, so that a newer peer may say more.
 *
 *	struct wire m;
 *	if (wire_read(&m, parts, count) == 0 && m.kind == WIRE_BEAT)
 *		use(m.text[BEAT_RUN], m.number[BEAT_INDEX]);
 *	wire_release(&m);
 *
 *	struct wire_out out;
 *	wire_begin(&out, WIRE_ACK);
 *	wire_text(&out, run); wire_number(&out, i); ...
 *	wire_send(&out, socket, peer);
 *
 * DIAGNOSTICS
 *	-EINVAL: not one of ours, or a part is not what it should be. wire_blame counts and tells,
 *	once in a while for each kind. Sending other parts than the table has is a bug.
 */
#ifndef PLIMSOLL_WORK_WIRE_H
#define PLIMSOLL_WORK_WIRE_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/bus/bus.h"

/* X(symbol, word, its parts: n number, i index of a shard, w word, t text, h SHA-256, l line) */
#define WIRE_KINDS(X)                                                                              \
	X(WIRE_READY, "READY", "wnnntn")                                                           \
	X(WIRE_READY_ACK, "READY-ACK", "nnn")                                                      \
	X(WIRE_WORK, "WORK", "wiwnnnl")                                                            \
	X(WIRE_BEAT, "BEAT", "wiwwnn")                                                             \
	X(WIRE_BEAT_ACK, "BEAT-ACK", "wiwwtnn")                                                    \
	X(WIRE_FAIL, "FAIL", "wiwwnt")                                                             \
	X(WIRE_FAIL_ACK, "FAIL-ACK", "wiww")                                                       \
	X(WIRE_RESULT, "RESULT", "wiwwhl")                                                         \
	X(WIRE_ACK, "ACK", "wiww")

enum wire_kind {
#define X(symbol, word, form) symbol,
	WIRE_KINDS(X)
#undef X
		WIRE_KIND_COUNT
};

#define WIRE_FIELDS_MAX 7
#define WIRE_WORD_SIZE 65
#define WIRE_TEXT_MAX_BYTES 4096u

/* Places of the parts behind the first. All about a shard begin alike. */
enum { SHARD_RUN, SHARD_INDEX, SHARD_TOKEN };
enum { READY_NONCE, READY_FREE, READY_SLOTS, READY_TAKEN, READY_ACCOUNTS, READY_CLOCK };
enum { READY_ACK_LEASE, READY_ACK_CLOCK, READY_ACK_WALL };
enum { WORK_LEASE = 3, WORK_START, WORK_ATTEMPT, WORK_LINE };
enum { BEAT_NONCE = 3, BEAT_RUNNING, BEAT_CLOCK };
enum { BEAT_ACK_CODE = 3, BEAT_ACK_WHY, BEAT_ACK_CLOCK, BEAT_ACK_WALL };
enum { FAIL_NONCE = 3, FAIL_RETRY, FAIL_WHY };
enum { RESULT_NONCE = 3, RESULT_SHA, RESULT_LINE };
enum { ACK_CODE = 3 }; /* of FAIL-ACK too */

struct wire {
	enum wire_kind kind;
	size_t count;
	const char *text[WIRE_FIELDS_MAX]; /* NUL-terminated; in store */
	size_t len_bytes[WIRE_FIELDS_MAX];
	int64_t number[WIRE_FIELDS_MAX];
	struct buf store;
};

/* Fills m, to be released also after failure. -EINVAL. */
MUST_CHECK int wire_read(struct wire *m, const struct bus_part *parts, size_t count);
void wire_release(struct wire *m);
/* Tells that a message of `who` was dropped. */
void wire_blame(const char *who, const struct bus_part *parts, size_t count);

struct wire_out {
	enum wire_kind kind;
	struct bus_part parts[WIRE_FIELDS_MAX + 1];
	size_t count;
	char numbers[WIRE_FIELDS_MAX][24];
};

/* Texts are borrowed until wire_send. What is no printable text goes out as "?". */
void wire_begin(struct wire_out *o, enum wire_kind kind);
void wire_text(struct wire_out *o, const char *text);
void wire_bytes(struct wire_out *o, const char *data, size_t len_bytes);
void wire_number(struct wire_out *o, int64_t n);
MUST_CHECK int wire_send(const struct wire_out *o, struct bus_socket *s,
			 const struct bus_peer *peer);

#endif
