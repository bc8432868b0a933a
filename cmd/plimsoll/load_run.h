/*
 * load_run.h - runs a load: one plimsoll-loader a process of the plan, each with its shards on its
 * standard input, and adds up what they report.
 *
 * The loaders run in groups of their own, as in pipeline.h: Ctrl-C reaches only us, and we ask
 * them to stop; what they measured until then is still told. A second signal kills them. This
 * process sleeps while they work: a line a second and loader is all it reads.
 *
 *	struct load_run r = {.plan = &plan, .target = &t, .config = path, .live = {...}};
 *	code = load_run(&r);
 *	... r.total, r.results[work] ...
 *	load_run_release(&r);
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_LOAD_RUN_H
#define PLIMSOLL_CMD_PLIMSOLL_LOAD_RUN_H

#include "cmd/plimsoll/load_live.h"
#include "cmd/plimsoll/load_private.h"
#include "cmd/plimsoll/load_result.h"
#include "common/base/exit_code.h"
#include "common/base/lines.h"
#include "common/base/loop.h"
#include "common/base/proc.h"
#include "common/digest/digest.h"

struct load_run;

struct load_loader { /* one process */
	struct load_run *run;
	struct proc proc;
	struct loop_watch out, end;
	struct lines lines;
	bool is_running, is_talking;
	int code;
};

struct load_run {
	const struct load_plan *plan;
	const struct load_target *target;
	struct load_private *private; /* closed once the loaders have begun; may be NULL */
	const char *config, *state, *pause_file; /* of the loaders; state may be NULL */
	struct load_live live;
	/* what came of it */
	struct load_result results[LOAD_WORKS_MAX], total;
	bool was_cancelled;
	double cpu_s; /* of all loaders, user and system */
	char id[DIGEST_ID_SIZE];
	/* its own */
	struct loop *loop;
	struct loop_timer second;
	struct load_loader loaders[LOAD_PROCESSES_MAX];
	size_t running, begun;
	struct mono first_signal;
	size_t odd_lines;
};

/* EXIT_FINE: every shard has told how it went. Else 100, 101 or 111, told on stderr. */
enum exit_code load_run(struct load_run *r);
/* Every shard told its whole result: none is missing, failed or was cut short. */
bool load_run_is_complete(const struct load_run *r);
void load_run_release(struct load_run *r);

#endif
