/*
 * event.h - CloudEvents 1.0 lines: one JSON object a line (rank 2).
 *
 * The schema of every type is one table (events.def, fields.def); the check, the reference page
 * docs/EVENTS.md and the builders' tests come from it. An event read from a line keeps the line,
 * byte for byte, so that a stage can pass it on unchanged.
 *
 *	struct event ev;
 *	if (event_parse(line, len, &ev, why) == 0) {
 *		const char *run = ev.run;
 *		int64_t of = json_int(json_at(ev.data, "shard.of"));
 *		event_release(&ev);
 *	}
 *
 *	struct event out;
 *	event_new(&out, EV_RUN_PLANNED, run_id, subject, run_id, now, data_take);
 *
 * DIAGNOSTICS
 *	Data errors only: -EINVAL (no event, unknown member type, missing member), -E2BIG
 *	(longer than the type may be), each with a reason. Unknown types and unknown members are
 * fine.
 */
#ifndef PLIMSOLL_EVENT_EVENT_H
#define PLIMSOLL_EVENT_EVENT_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/json/json.h"

/* X(symbol, wire type, most bytes a line) */
#define EVENT_KINDS(X)                                                                             \
	X(EV_FUNCTION_CHANGED, "plimsoll.function.changed.v1", 65536)                              \
	X(EV_FUNCTION_REMOVED, "plimsoll.function.removed.v1", 65536)                              \
	X(EV_RUN_PLANNED, "plimsoll.run.planned.v1", 65536)                                        \
	X(EV_SHARD_PLANNED, "plimsoll.shard.planned.v1", 65536)                                    \
	X(EV_SHARD_PROGRESS, "plimsoll.shard.progress.v1", 65536)                                  \
	X(EV_SHARD_FINISHED, "plimsoll.shard.finished.v1", 1048576)                                \
	X(EV_MEASUREMENT, "plimsoll.measurement.reported.v1", 65536)                               \
	X(EV_RUN_FINISHED, "plimsoll.run.finished.v1", 1048576)

enum event_kind {
#define X(symbol, type, max) symbol,
	EVENT_KINDS(X)
#undef X
		EV_KIND_COUNT,
	EV_OTHER = EV_KIND_COUNT /* a type that is not ours: passed on */
};

#define EV_BIT(kind) (1u << (kind))
#define EVENT_LINE_MAX_BYTES (1024u * 1024u)
#define EVENT_WHY_SIZE 200

struct event {
	enum event_kind kind;
	const char *id, *type, *source, *subject; /* borrowed from body; subject may be NULL */
	const char *run;			  /* extension plimsollrun, or NULL */
	struct wall time;
	struct json *data; /* borrowed from body */
	struct json *body; /* owned */
	char *line;	   /* owned; as it was read or as it will be written, no newline */
	size_t line_bytes;
};

const char *event_kind_type(enum event_kind kind); /* "plimsoll.run.planned.v1" */
const char *event_kind_name(enum event_kind kind); /* "run.planned" */

MUST_CHECK int event_parse(const char *line, size_t len_bytes, struct event *out,
			   char why[EVENT_WHY_SIZE]);
/*
 * Builds and checks an event of ours. data is taken, also on failure. source becomes
 * plimsoll/<stage>@<host>, see event_set_source. run may be NULL.
 * -E2BIG when the line is longer than the type may be; -EINVAL is a bug of the caller (why says).
 */
MUST_CHECK int event_new(struct event *out, enum event_kind kind, const char *id,
			 const char *subject, const char *run, struct wall time,
			 struct json *data_take, char why[EVENT_WHY_SIZE]);
void event_release(struct event *ev);
/* Once per process, before event_new. */
void event_set_source(const char *stage);
/* The reference page, from the tables. */
void event_reference(struct buf *markdown);

/* "account/function" split; both outs borrow static-size buffers. -EINVAL when malformed. */
#define NAME_MAX_BYTES 64
struct subject {
	char account[NAME_MAX_BYTES + 1];
	char function[NAME_MAX_BYTES + 1];
};
MUST_CHECK int subject_parse(const char *text, struct subject *out);
/* [A-Za-z0-9._-]{1,64} and neither "." nor "..". */
bool name_is_valid(const char *name);

#endif
