/*
 * judge.h - the verdict of one run.
 *
 * Pure: the plan and the gathered results in, words and figures out. The rules stand in
 * docs/MEASURING.md; each has its row in tests/unit/test_collector_judge.c.
 *
 *	struct judgement j;
 *	judge_run(plan_data, g, &facts, &j);
 *	puts(verdict_name(j.verdict));
 *	judgement_release(&j);
 */
#ifndef PLIMSOLL_COLLECTOR_JUDGE_H
#define PLIMSOLL_COLLECTOR_JUDGE_H

#include "cmd/collector/gather.h"
#include "common/verdict/gate.h"

#define RUN_OUTCOMES(X)                                                                            \
	X(RUN_VALID, "valid")                                                                      \
	X(RUN_SUSPECT, "suspect")                                                                  \
	X(RUN_INVALID, "invalid")                                                                  \
	X(RUN_INCOMPLETE, "incomplete")                                                            \
	X(RUN_CANCELLED, "cancelled")                                                              \
	X(RUN_SKIPPED, "skipped")                                                                  \
	X(RUN_REFUSED, "refused")                                                                  \
	X(RUN_FAILED, "failed")
enum run_outcome {
#define X(symbol, name) symbol,
	RUN_OUTCOMES(X)
#undef X
		RUN_OUTCOME_COUNT
};
const char *run_outcome_name(enum run_outcome o);

#define JUDGE_METRICS_MAX 32
#define JUDGE_OBJECTIVES_MAX 32
#define JUDGE_REASON_SIZE 200

struct judged_metric {
	const char *name;	      /* borrowed from the plan */
	const struct json *tolerance; /* borrowed; NULL = none */
	struct metric_spec spec;
	struct estimate est;
	struct bounds bounds;
	double level;
	double limit;	   /* the tolerance as a number; 0 = none */
	double detectable; /* of a gate; NAN = not known */
	bool is_known, is_gate, is_higher_better;
	enum verdict verdict; /* VERDICT_NONE: nothing to judge */
	const char *reason;   /* NULL = none */
};

struct judged_objective {
	const char *name, *metric, *op, *unit; /* borrowed from the plan */
	double limit, value;
	bool has_value;
	int is_met;			/* 1, 0, or -1: not known */
	char reason[JUDGE_REASON_SIZE]; /* why it is not known; "" = not said */
};

/* What a confirmation has in common with the run that it repeats (again.c). */
struct judged_again {
	bool knows_environments;     /* of both runs */
	size_t shared, environments; /* of both versions together */
	int64_t after_ms;	     /* from the end of the first load; -1 = not known */
};

struct judgement {
	struct judged_metric metrics[JUDGE_METRICS_MAX];
	size_t metric_count;
	struct looks looks; /* which of them the verdict is of */
	struct judged_objective objectives[JUDGE_OBJECTIVES_MAX];
	size_t objective_count;
	enum run_outcome outcome;
	char reason[JUDGE_REASON_SIZE]; /* of the outcome */
	enum verdict verdict;
	char verdict_reason[JUDGE_REASON_SIZE];
	enum estimate_basis interval_basis; /* of the first gate */
	bool is_confirmed, confirm_wanted;
	struct judged_again again; /* of a confirmation */
};

/* What the collector knows beside the results. */
struct judge_facts {
	size_t missing_shards;
	const char *missing_why; /* "the input ended" */
	const char *changed;	 /* why the run is invalid: the target changed meanwhile; or NULL */
};

/* May add to g->doubts what the figures themselves give away. */
void judge_run(const struct json *plan, struct gathered *g, const struct judge_facts *facts,
	       struct judgement *out);
void judgement_release(struct judgement *j);

/* doubt.c: what makes a run suspect beyond what its loader said. */
void doubts_find(const struct json *plan, struct gathered *g);
/* "throttled, late"; "" when there is no doubt. */
void doubts_list(const struct gathered *g, char out[JUDGE_REASON_SIZE]);
/* Whether there is a doubt that a run cut short does not explain by itself. */
bool doubts_beyond_a_cut(const struct gathered *g);
/* Whether any measured call of it ended as it should. */
bool doubts_has_answers(const struct gathered *g, enum variant v);
/* A foreign loader's run that is compared all the same. */
bool doubts_allow_comparison(const struct gathered *g);

/* again.c: fills j->again of a confirmation, and says it in the verdict's reason. */
void again_judge(const struct json *plan, const struct gathered *g, struct judgement *j);
/* again.c: what a confirmation of this run will be held against: {ended_at, environments}. */
struct json *again_keep(const struct gathered *g, const struct judgement *j);

/* objective.c */
void objectives_judge(const struct json *plan, const struct gathered *g, bool is_valid,
		      struct judgement *j);
/*
 * Judges the objectives on figures of sources and of the cloud (TOOL/NAME), in data of run.finished
 * itself, by its external and cloud. Where a figure was told more than once each must meet it.
 */
void objectives_judge_figures(struct json *data);

#endif
