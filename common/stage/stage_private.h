/*
 * stage_private.h - what the files of the skeleton share with each other, nobody else (rank 4).
 */
#ifndef PLIMSOLL_STAGE_STAGE_PRIVATE_H
#define PLIMSOLL_STAGE_STAGE_PRIVATE_H

#include "common/base/lines.h"
#include "common/base/strmap.h"
#include "common/stage/stage.h"
#include "common/state/state.h"

/* Reading stops above this much unwritten output; memory stays near it plus one take(). */
#define OUT_HIGH_WATER_BYTES (1024u * 1024u)
#define OUT_MAX_BYTES (32u * 1024u * 1024u)

struct stage_opts {
	const char *config, *state, *reject, *log_level;
	int64_t drain_ms;
	uint64_t ready_fd;
	bool is_check, is_help, is_version, is_print_options;
};

/* Standard output: bytes that wait for the reader. */
struct stage_out {
	struct loop_watch watch;
	struct buf waiting;
	bool is_watched, is_fifo, is_socket, is_gone;
};

struct stage {
	const struct stage_def *def;
	void *ctx, *stage_opts;
	char *program;	    /* "plimsoll-planner" */
	char *found_config; /* opts.config where --config was not given; NULL = none */
	struct stage_opts opts;
	const char **args;
	size_t arg_count;

	struct loop *loop;
	struct loop_watch in;
	struct lines lines;
	struct event deferred; /* take() said -EAGAIN */
	bool has_deferred, has_taken_all, is_input_watched, is_input_done, is_end_told, is_stopping,
		is_over;
	struct loop_timer drain_timer;
	int signals_seen;
	struct mono drain_until; /* once is_stopping */

	struct stage_out out;
	struct state *state;
	bool has_state_puts;
	int reject_fd;
	struct strmap counts; /* what -> struct stage_count */
	enum exit_code code;
};

struct stage_count {
	uint64_t n;
};

/* stage_io.c */
void stage_out_open(struct stage *st);
void stage_out_line(struct stage *st, const char *line, size_t len_bytes);
void stage_out_flush(struct stage *st); /* what the reader takes now */
/* Blocks while the reader is slow: without limit, or after a signal until --drain is over. */
void stage_out_finish(struct stage *st);
bool stage_out_is_empty(const struct stage *st);

/* stage.c: SIGTERM or SIGINT came. The first sets the end of --drain, a second ends the process. */
void stage_note_stop(struct stage *st);

/* stage_reject.c */
int stage_reject_open(struct stage *st);
void stage_reject(struct stage *st, const char *kind, const char *why, const char *line,
		  size_t len_bytes);
void stage_reject_close(struct stage *st);

/* stage_opts.c: true when the process should end now with *code. */
bool stage_opts_parse(struct stage *st, int argc, char **argv, int *code);
void stage_ready(struct stage *st);

#endif
