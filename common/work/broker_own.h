/*
 * broker_own.h - what the files of the broker share; common/work/broker*.c only.
 */
#ifndef PLIMSOLL_WORK_BROKER_OWN_H
#define PLIMSOLL_WORK_BROKER_OWN_H

#include "common/base/log.h"
#include "common/base/strmap.h"
#include "common/work/broker.h"
#include "common/work/match.h"
#include "common/work/wire.h"

#define LOADERS_MAX 1024
#define PROCESSES_MAX 16	 /* of one name */
#define SILENT_NS (7 * NS_PER_S) /* three READYs of worker_own.h */
#define OWNER_SIZE (BUS_NAME_SIZE + WIRE_WORD_SIZE)

/* One process of a loader. Two with the same key are two of these, each with its own shards. */
struct slot {
	struct slot *next;
	char name[BUS_NAME_SIZE], nonce[WIRE_WORD_SIZE];
	struct bus_peer peer;
	char *accounts;
	size_t free, slots; /* free: without the WORKs that were under way when it said so */
	size_t pending;	    /* of free: leases that Redis has not answered yet */
	int64_t sent;	    /* WORKs, counted as it counts those it has had */
	struct mono heard;
};

struct broker {
	struct loop *loop;
	struct jobs *jobs;
	struct bus *bus;
	struct bus_socket *socket;
	int64_t lease_ms;
	struct slot *slots;
	size_t slot_count;
	struct log_limit trouble;

	/* broker_offer.c */
	struct strmap waiting;	  /* run -> when it was first passed by */
	bool is_asking, must_ask; /* pl_ready is under way; once more after it */
	bool has_offered;	  /* the last look was worth it */
	size_t asked_max;
	struct mono looked;
	struct loop_timer ask_timer;

	/* broker_care.c */
	struct loop_timer reap_timer, audit_timer, hint_timer;
	bool is_reaping, is_auditing;
	struct buf cursor;
};

/* broker_slots.c */
struct slot *slot_find(const struct broker *b, const char *name, const char *nonce);
/* NULL: too many. */
struct slot *slot_ready(struct broker *b, const struct bus_peer *peer, const struct wire *ready);
void slot_heard(struct broker *b, const struct bus_peer *peer, const char *nonce);
size_t slot_room(const struct slot *s);
void slots_expire(struct broker *b);
void slots_free(struct broker *b);

/* broker_offer.c */
void offer_open(struct broker *b);
void offer_close(struct broker *b);
/* Somebody has room, or something was planned: look. */
void offer_look(struct broker *b);

/* broker_beats.c */
void beats_take(struct broker *b, const struct bus_peer *peer, const struct wire *m);
void fails_take(struct broker *b, const struct bus_peer *peer, const struct wire *m);
/* "NAME/NONCE", as Redis knows the owner of a shard. */
void owner_of(const char *name, const char *nonce, char out[OWNER_SIZE]);
/* Back to planned, as lost before it began. */
void give_back(struct broker *b, const char *run, size_t index, const char *token,
	       const char *owner, const char *why);

/* broker_care.c */
void hint_soon(struct broker *b);		    /* there is another loader */
void hint_drop(struct broker *b, const char *name); /* it is gone */
void care_open(struct broker *b);
void care_close(struct broker *b);

#endif
