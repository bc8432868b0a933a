/*
 * broker.h - hands shards to loaders: the planner's side of the work (rank 4).
 *
 * Loaders say READY with what they have room for (credit); a run is leased in Redis when all its
 * shards find room at once, then each loader gets its WORK. Beats go to Redis, their answers back.
 * The broker keeps nothing that matters: loaders say READY again, leases are in Redis. It also
 * turns the loops of recovery: pl_reap each second, pl_audit each minute.
 *
 * Messages (parts are text; docs/BUS.md). clock is the sender's own and is echoed as it came;
 * wall_ms is the broker's. The owner of a shard is <name by key>/<nonce of that process>.
 *
 *	READY version nonce free slots taken accounts clock	-> READY-ACK lease_ms clock wall_ms
 *	WORK run i token lease_ms start_at_ms attempt line	(broker to loader)
 *	BEAT run i token nonce is_running clock
 *			-> BEAT-ACK run i token code why clock wall_ms	(OK, CANCEL, STALE)
 *	FAIL run i token nonce is_retry why		-> FAIL-ACK run i token code
 *
 * free: shards it could start now, of slots in all; taken: WORKs that this process has had, so that
 * those under way are not counted as free. READY comes every 2 s, also when free is 0.
 * start_at_ms is the broker's wall clock; 0 = at once (a single shard). is_retry as in pl_fail.
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

#endif
