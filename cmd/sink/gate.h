/*
 * gate.h - from results to an exit code: the table of docs/STAGE.md, "Exit codes of a pipe".
 *
 * A run counts with its last revision. A run that confirms another speaks for both: worse twice
 * is worse, anything else is "cannot tell". Memory is bounded: only the last GATE_RUNS_MAX runs
 * can still change their minds.
 *
 *	struct gate g = {.needs_comparison = true};
 *	gate_add(&g, ev->data);
 *	code = gate_code(&g);
 *	gate_release(&g);
 */
#ifndef PLIMSOLL_SINK_GATE_H
#define PLIMSOLL_SINK_GATE_H

#include <stdbool.h>

#include "common/base/exit_code.h"
#include "common/base/strmap.h"
#include "common/json/json.h"

#define GATE_RUNS_MAX 1024

struct gate {
	bool needs_comparison; /* --require-comparison */
	bool may_be_empty;     /* --allow-empty */
	struct strmap runs;    /* run id -> a static code; the gate's own */
	bool has_change;       /* something changed, even if no run came of it */
	enum exit_code folded; /* of the runs that have left the map */
};

/* What a word, one of data.objectives, and one run.finished say by themselves. */
enum exit_code gate_code_of_verdict(const char *verdict);
enum exit_code gate_code_of_objective(const struct json *objective);
enum exit_code gate_code_of(const struct gate *g, const struct json *data);
/* The verdict of a run for people: of a worse it says so when no second run has confirmed it. */
const char *gate_verdict_text(const struct json *data);
void gate_add(struct gate *g, const struct json *data);
/* Whether it has heard of the run's end; the oldest of more than GATE_RUNS_MAX are forgotten. */
bool gate_knows(const struct gate *g, const char *run);
enum exit_code gate_code(const struct gate *g);
void gate_release(struct gate *g);

#endif
