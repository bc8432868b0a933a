/*
 * worker_own.h - what the files of the worker share; common/work/worker*.c only.
 *
 * The life of a shard here:
 *
 *	WORK -> ASKED --beat OK--> RUNNING --shard.finished--> spooled (an item of the spool)
 *	           |                  |  revoked                   and beats go on until it is ACKed
 *	           |                  v                            (TELLING)
 *	           |               ENDING --shard.finished--> GIVING: FAIL until it is answered
 *	           +-- no room, stop, cancel -----------------^
 *
 * Nothing is sent to a target before the first beat was answered: however late a WORK arrives, the
 * lease is known to hold when work() is called, and from which moment on.
 */
#ifndef PLIMSOLL_WORK_WORKER_OWN_H
#define PLIMSOLL_WORK_WORKER_OWN_H

#include "common/base/log.h"
#include "common/work/offset.h"
#include "common/work/spool.h"
#include "common/work/wire.h"
#include "common/work/worker.h"

#define READY_NS (2 * NS_PER_S)
#define RETRY_US (500 * INT64_C(1000))		 /* a first beat or FAIL that was not answered */
#define RESEND_US (3000 * INT64_C(1000))	 /* a result that was not acknowledged */
#define RESEND_MAX 16				 /* results a turn */
#define TELLING_US (600 * INT64_C(1000000))	 /* beats for a result that nobody acknowledges */
#define SPOOL_FULL 256				 /* unsent results: no more work is asked for */
#define BEATS_A_LEASE 6				 /* broker.c: reaper and lease fit to it */
#define FENCE_OF(lease_us) ((lease_us) / 10 * 8) /* 0.8 of the lease: then nothing more is sent */

enum held_state { HELD_ASKED, HELD_RUNNING, HELD_ENDING, HELD_GIVING, HELD_TELLING };

struct held {
	struct held *next;
	enum held_state state;
	char run[WIRE_WORD_SIZE], token[WIRE_WORD_SIZE];
	int64_t index, attempt, lease_us, start_at_ms;
	char *line;	  /* shard.planned, until work() has it */
	int64_t since_us; /* when it came into this state */
	int64_t ok_us; /* when the last beat that was answered OK left; in ASKED the WORK's arrival
			*/
	int64_t beat_us;    /* when the last beat (or FAIL) left; 0 = none */
	bool is_lost;	    /* the token is worth nothing any more */
	int64_t give_retry; /* as pl_fail's is_retry */
	char give_why[200];
};

struct worker {
	struct loop *loop;
	struct bus *bus;
	struct bus_socket *work, *results;
	struct worker_owner owner;
	char *accounts;
	char nonce[WIRE_WORD_SIZE];
	struct held *held;
	struct spool spool;
	struct offset offset;
	int64_t told_offset_us; /* the last one that was logged */
	int64_t taken;		/* WORKs ever */
	bool is_stopping, has_told_offset, is_broker_told;
	struct mono told_at;	 /* when a READY left last; at first: when we began */
	struct mono answered_at; /* when one was answered last; at first: when we began */
	struct loop_timer ready_timer, due_timer;
	struct loop_guard guard;
	struct log_limit deaf, mute;
};

void worker_say_ready_soon(struct worker *w);
/* Sets the timer of beats, FAILs and results to what is due next. */
void worker_plan(struct worker *w);

/* worker_held.c */
void held_take(struct worker *w, const struct wire *work);
void held_beat_answered(struct worker *w, const struct wire *ack);
void held_fail_answered(struct worker *w, const struct wire *ack);
/* The result of this shard is out of the world. */
void held_told(struct worker *w, const char *run, int64_t index, const char *token);
/* Fences, beats, FAILs that are due; the time of the next. */
void held_fence(struct worker *w);
int64_t held_turn(struct worker *w, int64_t now_us);
void held_stop(struct worker *w);
size_t held_count(const struct worker *w, unsigned states);
void held_free(struct worker *w);

/* worker_results.c */
void results_keep(struct worker *w, const struct held *h, const char *line, size_t len_bytes);
void results_heard(struct bus_socket *s, const struct bus_peer *peer, const struct bus_part *parts,
		   size_t count, void *ctx);
int64_t results_turn(struct worker *w, int64_t now_us);

#endif
