/*
 * bus_private.h - what the files of the port to the bus share (rank 5). docs/STATE.md has the
 * functions of Redis that they call.
 *
 *	bus.c		life: settings, connection, namespaces, poll and kicks, the turn
 *	bus_call.c	calls, what is put into the state, and steps: said, in order, until done
 *	bus_emit.c	a table: what becomes of each type of event that a stage sends
 *	inbox_*.c	a table entry each: where a stage's events come from (enum stage_inbox)
 *
 * Everything is repeatable: a process that dies leaves what it had taken to the next one, who is
 * offered it again after the inbox's hold_ms.
 */
#ifndef PLIMSOLL_STAGE_BUS_PRIVATE_H
#define PLIMSOLL_STAGE_BUS_PRIVATE_H

#include "common/base/crash.h"
#include "common/jobs/jobs.h"
#include "common/stage/stage_private.h"

#define POLL_NS NS_PER_S
/* What is taken by a process that dies waits for HOLD_MS: each begins with a little. */
#define ASK_COUNT 256
#define ASK_FIRST_COUNT 16
#define OPEN_CALLS_MAX 1024
#define STEPS_MAX 64
#define OFFERS_MAX 32 /* in one turn of the loop */
#define DOCUMENT_MAX_BYTES (4u * 1024u * 1024u)

/* A reply or a part of it: strings from here to the end. */
struct bus_parts {
	const struct redis_part *at;
	size_t left;
	bool is_short; /* something was asked for that is not there */
};

const char *bus_next(struct bus_parts *p); /* "" once is_short */
struct redis_part bus_next_part(struct bus_parts *p);
int64_t bus_next_int(struct bus_parts *p);

/* Where events come from. All but the optional ones are there. */
struct inbox {
	const char *queue;    /* whose kicks are ours; NULL = nothing to ask for */
	const char *function; /* is asked for what is due: n, hold_ms, and what add_args adds */
	/* Of what was taken. When it comes again it is known as in hand, or its process has died.
	 */
	int64_t hold_ms;
	int (*open)(struct stage *st); /* after the stage's own; an exit code. Optional */
	void (*add_args)(const struct stage *st, struct redis_args *a); /* optional */
	/* The rows that were due; false when they make no sense. *count: how many. */
	bool (*answer)(struct stage *st, struct bus_parts *rows, size_t *count);
	/* How much lies here that was not offered yet. */
	size_t (*waiting)(const struct stage *st);
	void (*turn)(struct stage *st); /* offers what lies here, while there is room; optional */
	void (*kick)(struct stage *st, const char *queue);	/* others' queues too; optional */
	bool (*is_settled)(const struct stage *st);		/* optional */
	bool (*is_well)(const struct stage *st, char why[200]); /* optional; for /healthz */
	bool must_finish; /* held() is waited for at the end: others cannot take it over */
	void (*stop)(struct stage *st);	  /* optional */
	void (*reload)(struct stage *st); /* optional */
	void (*close)(struct stage *st);  /* optional; before the connection is closed */
	void (*ack)(struct stage *st, const char *id, const char *destination); /* optional */
	bool (*is_acked)(const struct stage *st, const char *id, const char *destination);
};

extern const struct inbox inbox_none, inbox_changes, inbox_work, inbox_runs, inbox_outbox;

/* Something said that is done in order: a file may have to be written first. */
struct bus_step {
	struct bus_step *next;
	/* 0 done; -errno: again in a second, those behind it wait. */
	int (*run)(struct stage *st, struct bus_step *s);
	char *name, *line; /* owned; NULL where there is none */
	size_t line_bytes;
	struct redis_args call;
	redis_reply_fn *fn; /* of the call; ctx is the stage */
};

struct bus_port {
	struct stage *stage;
	struct config *config;
	struct jobs *jobs; /* NULL for a loader */
	const struct inbox *inbox;
	void *own; /* the inbox's */
	struct loop_timer poll, retry, again;
	struct mono poll_at;
	bool is_due, is_asking, is_failing;
	size_t ask_count;
	size_t loading; /* at the start: replies that are waited for */
	size_t open_calls;
	struct bus_step *first, **end;
	size_t step_count;
	char *trouble; /* what systemd was told last */
};

/* bus.c */
/* More can be offered at once: not in this turn of the loop, so that what was said gets away. */
void bus_go_on(struct stage *st);
bool bus_may_take(const struct stage *st);
void bus_bad_reply(struct stage *st, const char *function);
/* Known from Redis: into the state, or told when it is damaged. text NULL: forgotten. */
void bus_seed(struct stage *st, const char *key, const struct redis_part *text);

/* bus_call.c */
void bus_call(struct stage *st, struct redis_args *a, redis_reply_fn *fn);
/* For replies: counts it as answered; true when it is one that can be read. */
bool bus_answered(struct stage *st, const struct redis_reply *reply);
/* What was put since the last time, as count and pairs. */
void bus_add_puts(struct stage *st, struct redis_args *a);
void bus_put(struct stage *st); /* pl_put of that, when there is any */
struct bus_step *bus_step_new(int (*run)(struct stage *st, struct bus_step *s));
void bus_step_add(struct stage *st, struct bus_step *s_take);
void bus_steps_run(struct stage *st);
void bus_steps_release(struct stage *st);

/* bus_emit.c */
void bus_emit(struct stage *st, const struct event *ev);

/* inbox_changes.c: run.planned and shard.planned of the change that is being taken. */
bool changes_add_plan(struct stage *st, const struct event *ev);
/* inbox_work.c */
void work_add_result(struct stage *st, const struct event *ev);
/* inbox_runs.c */
void runs_add_verdict(struct stage *st, const struct event *ev);

#endif
