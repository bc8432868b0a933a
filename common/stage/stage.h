/*
 * stage.h - the skeleton of every stage (rank 5).
 *
 * A stage is a handful of callbacks. The skeleton owns options, log, loop, signals, readiness,
 * lines, back-pressure, rejects, state and exit codes. A stage's own code does not know whether
 * it stands in a pipe or on the bus; it has these verbs: take(event) is called, stage_emit,
 * stage_timer, stage_state_get/put are its to call.
 *
 * The contract (docs/STAGE.md):
 * - take() is handed one valid event at a time, of a kind in eats|reads; it keeps nothing of it.
 * - what it emits and puts into the state becomes durable together when it returns 0.
 * - -EAGAIN: the same event is offered again in a later turn of the loop; any other error rejects
 *   the event (counted, kept with --reject) and the stage lives on.
 * - events in eats are consumed; all others are passed on unchanged and in order.
 *
 *	int main(int argc, char **argv)
 *	{
 *		static const struct stage_def def = {.name = "planner", .reads = ..., .take = take};
 *		return stage_main(&def, argc, argv);
 *	}
 *
 * DIAGNOSTICS
 *	Exit 0 done; 100 options or configuration are wrong; 111 a fault of the world, or unfinished
 *	work when the output is gone or a second signal comes; 101 (abort) our bug.
 */
#ifndef PLIMSOLL_STAGE_STAGE_H
#define PLIMSOLL_STAGE_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/exit_code.h"
#include "common/base/loop.h"
#include "common/base/opt.h"
#include "common/event/event.h"

struct stage;
struct prom;

/* What a stage is fed with on the bus (docs/STATE.md); in a pipe all read standard input. */
enum stage_inbox {
	INBOX_NONE,    /* a source */
	INBOX_CHANGES, /* pl_changes, one at a time; done when take() returns 0 */
	INBOX_WORK,    /* shards from the broker; done with their shard.finished */
	INBOX_RUNS,    /* pl_measured: run.planned, its shard.finished, reports; stage_ack(run) */
	INBOX_OUTBOX,  /* pl_out: what a function has to tell; stage_ack(event, destination) */
};

struct stage_def {
	const char *name;     /* "planner" */
	const char *synopsis; /* one line for --help */
	const char *about;    /* paragraphs for --help */
	const char *exits;    /* exit codes beyond the common ones; may be NULL */

	uint32_t eats, reads; /* EV_BIT()s */
	bool is_source;	      /* has no standard input (watcher) */
	bool is_end; /* emits nothing; stdout is the stage's own (sink: the person's summary) */

	enum stage_inbox inbox;
	/* Keys of state that come along with each event on the bus ("durations/@", @ = subject),
	 * and namespaces that are loaded whole at the start. NULL-terminated, or NULL. */
	const char *const *docs, *const *namespaces;

	const struct opt *opts; /* the stage's own options */
	size_t opt_count;
	size_t config_bytes; /* size of the option struct; zeroed, handed to open() */

	/* Opens configuration, state, sinks. Before READY. An enum exit_code; 0 goes on. */
	int (*open)(struct stage *st, void *opts, void **ctx);
	int (*take)(struct stage *st, const struct event *ev, void *ctx);
	/* False makes the skeleton stop reading (back-pressure). Asked in every turn of the loop.
	 */
	bool (*has_room)(void *ctx);
	/* On the bus: how many it could take at once. NULL: one when has_room(). */
	size_t (*room)(void *ctx);
	/* End of input: finish what is held. Called once. May be NULL. */
	void (*end)(struct stage *st, void *ctx);
	/* SIGTERM/SIGINT: stop early; what is held should end within --drain. May be NULL. */
	void (*stop)(struct stage *st, void *ctx);
	/* SIGHUP: read the configuration again. May be NULL. */
	void (*reload)(struct stage *st, void *ctx);
	/* On the bus: this run must stop here; is_fenced: another loader may have it by now. */
	void (*revoke)(struct stage *st, const char *run, const char *why, bool is_fenced,
		       void *ctx);
	/* How many things are unfinished; the process ends at 0 after end of input. NULL = 0. */
	size_t (*held)(void *ctx);
	/* Adds figures of its own to /metrics. May be NULL. */
	void (*metrics)(struct stage *st, struct prom *page, void *ctx);
	/* Before exit; returns the exit code this stage wants (EXIT_FINE normally). */
	int (*close)(struct stage *st, void *ctx);
};

int stage_main(const struct stage_def *def, int argc, char **argv);

struct loop *stage_loop(struct stage *st);
/* The --config path, or NULL when none was given and no default file exists. */
const char *stage_config_path(const struct stage *st);
const char *stage_state_dir(const struct stage *st); /* --state, or NULL */
/* What is put is known to the next process: --state, or the bus. */
bool stage_has_state(const struct stage *st);
/* --check: open() looks at options and settings, and touches nothing. */
bool stage_is_check(const struct stage *st);
/* Positional arguments. */
const char *const *stage_args(const struct stage *st, size_t *count);

/*
 * Sends an event downstream: queued, written before any state of the same take(). The event is
 * the caller's. -E2BIG and -EINVAL as event_new. Outside take() (timers, sockets) it is sent at
 * the end of the loop turn.
 */
MUST_CHECK int stage_emit(struct stage *st, const struct event *ev);
/* Builds and emits in one step; data is taken. */
MUST_CHECK int stage_emit_new(struct stage *st, enum event_kind kind, const char *id,
			      const char *subject, const char *run, struct wall time,
			      struct json *data_take);
/* Ends the stage as if its input had ended; for sources. */
void stage_finish(struct stage *st, enum exit_code code);
/* The stage cannot go on: environment error. Ends with this code after flushing. */
void stage_fail(struct stage *st, enum exit_code code);
/* True while output is backed up: a source should not produce more. */
bool stage_is_blocked(const struct stage *st);

/* State under --state DIR: JSON documents by key ("functions/prod/hello"). NULL when absent or
 * without --state. The result is the caller's. Keys are [A-Za-z0-9._/-], no "..". */
struct json *stage_state_get(struct stage *st, const char *key);
/* Durable when take() returns 0 (or at the end of the loop turn). value is taken; NULL deletes. */
void stage_state_put(struct stage *st, const char *key, struct json *value_take);
/* All keys under a prefix, sorted; calls see(key) for each. */
void stage_state_each(struct stage *st, const char *prefix, void (*see)(const char *key, void *ctx),
		      void *ctx);

/*
 * On the bus: this input has been dealt with. INBOX_RUNS: id is a run, nothing more will be said of
 * it. INBOX_OUTBOX: id is an event's; destination has it, or NULL: all of them have. In a pipe
 * nothing happens.
 */
void stage_ack(struct stage *st, const char *id, const char *destination);
/* INBOX_OUTBOX: whether an earlier process has acknowledged it for this destination. */
bool stage_is_acked(const struct stage *st, const char *id, const char *destination);
bool stage_is_bus(const struct stage *st);

/* Counts a data error that is not a line of input (a target's odd answer, a source's bad output).
 */
void stage_count(struct stage *st, const char *what);

#endif
