/*
 * stage_private.h - what the files of the skeleton share with each other, nobody else (rank 5).
 *
 * stage.c - the life of a process: open, turns of the loop, signals, the end
 * stage_verbs.c - what a stage may call
 * stage_opts.c, stage_reject.c, stage_notify.c - options; lines that are no good; systemd
 * stage_metrics.c, stage_health.c - counters, and the pages that show them
 * pipe.c, stage_io.c - the port to a pipe: standard input, standard output
 * bus.c, bus_*.c, inbox_*.c - the port to the bus (bus_private.h)
 */
#ifndef PLIMSOLL_STAGE_STAGE_PRIVATE_H
#define PLIMSOLL_STAGE_STAGE_PRIVATE_H

#include "common/base/lines.h"
#include "common/base/strmap.h"
#include "common/health/health.h"
#include "common/stage/stage.h"
#include "common/stage/stage_metrics.h"
#include "common/state/state.h"

/* Reading stops above this much unwritten output; memory stays near it plus one take(). */
#define OUT_HIGH_WATER_BYTES (1024u * 1024u)
#define OUT_MAX_BYTES (32u * 1024u * 1024u)

struct stage_opts {
	const char *config, *state, *reject, *log_level, *metrics;
	int64_t drain_ms;
	uint64_t ready_fd;
	bool is_bus, is_check, is_help, is_version, is_print_options;
};

/*
 * Where a stage stands: between two pipes, or on the bus. The skeleton calls these and knows no
 * more of either. All but the optional ones are there.
 */
struct stage_port {
	/* Before the stage's own open(): where state comes from and what is said goes. An exit
	 * code. */
	int (*open)(struct stage *st);
	/* After it: what is to be taken comes from now on. An exit code. */
	int (*start)(struct stage *st);
	/* Takes what there is room for, and sends what came of it. */
	void (*turn)(struct stage *st);
	void (*emit)(struct stage *st, const struct event *ev);
	/* Nothing more will come. */
	bool (*is_input_over)(const struct stage *st);
	bool (*is_blocked)(const struct stage *st);
	/* What was said has left, and what was put is durable. */
	bool (*is_settled)(const struct stage *st);
	/* Whether the process waits for held() before it ends. */
	bool (*must_finish)(const struct stage *st);
	/* After the last turn and the stage's close(): what is left leaves, or is told. */
	void (*close)(struct stage *st);
	void (*release)(struct stage *st);
	/* Optional. */
	bool (*is_well)(const struct stage *st, char why[200]); /* for /healthz */
	bool (*is_cut)(const struct stage *st);			/* nobody listens any more */
	void (*stop)(struct stage *st);				/* a signal came */
	void (*reload)(struct stage *st);
	void (*ack)(struct stage *st, const char *id, const char *destination);
	bool (*is_acked)(const struct stage *st, const char *id, const char *destination);
};

extern const struct stage_port stage_pipe, stage_bus;

/* Standard output: bytes that wait for the reader. */
struct stage_out {
	struct loop_watch watch;
	struct buf waiting;
	bool is_watched, is_fifo, is_socket, is_gone;
};

/* Standard input. */
struct stage_in {
	struct loop_watch watch;
	struct lines lines;
	struct event deferred; /* take() said -EAGAIN */
	bool has_deferred, has_taken_all, is_watched;
};

struct stage {
	const struct stage_def *def;
	const struct stage_port *port;
	void *ctx, *stage_opts;
	char *program;	    /* "plimsoll-planner" */
	char *found_config; /* opts.config where --config was not given; NULL = none */
	struct stage_opts opts;
	const char **args;
	size_t arg_count;

	struct loop *loop;
	bool is_open; /* the stage's own open() has succeeded */
	bool is_input_done, is_end_told, is_stopping, is_over;
	struct loop_timer drain_timer, watchdog;
	int64_t watchdog_ns; /* 0 = systemd does not ask for it */
	int signals_seen;
	struct mono drain_until; /* once is_stopping */

	struct stage_in in;
	struct stage_out out;
	struct bus_port *bus; /* NULL in a pipe */
	struct state *state;
	bool has_state_puts;
	int reject_fd;
	struct strmap counts; /* what -> struct stage_count */
	struct stage_metrics metrics;
	struct health *health;	/* NULL = nobody asked */
	struct loop_timer tick; /* measures how late timers run */
	struct mono tick_at;
	enum exit_code code;
};

struct stage_count {
	uint64_t n;
};

/* stage.c */
/* SIGTERM or SIGINT came. The first sets the end of --drain, a second ends the process. */
void stage_note_stop(struct stage *st);
/* Whether the stage wants events of this kind. */
bool stage_wants(const struct stage *st, enum event_kind kind);
/* Hands it over and counts what came of it: 0, -EAGAIN; others are rejected and 0. */
int stage_take(struct stage *st, const struct event *ev);

/* stage_io.c */
void stage_out_open(struct stage *st);
void stage_out_line(struct stage *st, const char *line, size_t len_bytes);
void stage_out_flush(struct stage *st); /* what the reader takes now */
/* Blocks while the reader is slow: without limit, or after a signal until --drain is over. */
void stage_out_finish(struct stage *st);
bool stage_out_is_empty(const struct stage *st);

/* stage_reject.c */
int stage_reject_open(struct stage *st);
void stage_reject(struct stage *st, const char *kind, const char *why, const char *line,
		  size_t len_bytes);
void stage_reject_close(struct stage *st);

/* stage_opts.c: true when the process should end now with *code. */
bool stage_opts_parse(struct stage *st, int argc, char **argv, int *code);

/* stage_health.c: an exit code */
int stage_health_open(struct stage *st);

/* stage_notify.c */
void stage_notify(const char *text); /* sd_notify(3) */
void stage_ready(struct stage *st);  /* and begins to feed the watchdog */

#endif
