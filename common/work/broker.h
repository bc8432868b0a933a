/*
 * broker.h - hands shards to loaders: the planner's side of the work (rank 4).
 *
 * Loaders say READY with what they have room for (credit); a run is leased in Redis when all its
 * shards find room at once, then each loader gets its WORK. Beats go to Redis, their answers back.
 * The broker keeps nothing that matters: loaders say READY again, leases are in Redis. It also
 * turns the loops of recovery: pl_reap each second, pl_audit each minute.
 *
 * Messages (frames are text; docs/BUS.md):
 *	READY version nonce free accounts wall_ms	-> READY-ACK lease_ms wall_ms(echo) wall_ms
 *	WORK run i token lease_ms start_at_ms attempt line	(broker to loader)
 *	BEAT run i token is_running wall_ms	-> BEAT-ACK run i token code why wall_ms(echo)
 *wall_ms FAIL run i token is_retry why			-> FAIL-ACK run i token code start_at_ms is
 *the broker's wall clock; 0 = at once (a single shard).
 */
#ifndef PLIMSOLL_WORK_BROKER_H
#define PLIMSOLL_WORK_BROKER_H

#include "common/bus/bus.h"
#include "common/jobs/jobs.h"

struct broker;

/* NULL after telling why. */
struct broker *broker_open(struct loop *l, struct jobs *j, const struct config_bus *settings);
void broker_free(struct broker *b);
void broker_kick(struct broker *b);   /* something became planned */
void broker_reload(struct broker *b); /* the allow-list is read again */
size_t broker_loaders(const struct broker *b);

#endif
