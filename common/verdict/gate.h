/*
 * gate.h - from intervals to words: one metric against its tolerance, and several gates of one run
 * under Holm's procedure (rank 3).
 *
 *	struct gate gates[] = {{&est_p50, 0.1, false}, {&est_errors, 0.005, false}};
 *	struct holm_answer answers[2];
 *	gates_decide(gates, 2, &looks, answers);
 *	word = gate_verdict(&gates[0], look_alpha(&looks, answers[0].alpha));
 */
#ifndef PLIMSOLL_VERDICT_GATE_H
#define PLIMSOLL_VERDICT_GATE_H

#include "common/stats/holm.h"
#include "common/stats/sequential.h"
#include "common/verdict/metric.h"

#define VERDICT_LEVEL 0.95 /* of reported metrics, and of all gates of a run together */
#define GATES_MAX 32

#define VERDICTS(X)                                                                                \
	X(VERDICT_NONE, "")                                                                        \
	X(VERDICT_BETTER, "better")                                                                \
	X(VERDICT_WORSE, "worse")                                                                  \
	X(VERDICT_SAME, "no-difference")                                                           \
	X(VERDICT_CANNOT_TELL, "cannot-tell")                                                      \
	X(VERDICT_NOT_COMPARED, "not-compared")
enum verdict {
#define X(symbol, name) symbol,
	VERDICTS(X)
#undef X
		VERDICT_COUNT
};
const char *verdict_name(enum verdict v);

struct gate {
	const struct estimate *est;
	double limit; /* the tolerance: a ratio or points; 0 = none */
	bool is_higher_better;
};

/* When a run is looked at, in shares of its planned rounds, and which look this is. */
struct looks {
	double fractions[SEQUENTIAL_LOOKS_MAX];
	size_t count; /* 0: once, at its end */
	size_t at;
};
/* stop.looks of a plan, before the first of them; a list that makes no sense counts as none. */
struct looks looks_read(const struct json *plan);
/* What remains of an alpha for this look; all of it where there are none. */
double look_alpha(const struct looks *l, double alpha);

/* An interval against a tolerance; factor 2 for two or three environments a side. */
enum verdict gate_verdict_of(const struct bounds *b, double limit, bool is_higher_better,
			     size_t environments);
/* At the level 1 - alpha. VERDICT_CANNOT_TELL where there is no interval that counts. */
enum verdict gate_verdict(const struct gate *g, double alpha);
/*
 * The smallest worsening, as diff is told (a ratio or points, positive), that the run would have
 * found at this level four times in five: the edge, the half of the interval that lies towards it,
 * and POWER's quantile of an error as large as that half says. NAN without an interval that counts,
 * and of a share of which nothing was seen: that has no error to go by.
 * The formula: docs/VERDICT.md.
 */
double gate_detectable(const struct gate *g, double alpha);
/* Why it stays open. */
const char *gate_open_reason(const struct gate *g);
/* Which of at most GATES_MAX gates are decided, and at which alpha of the run each is to be told.
 */
void gates_decide(const struct gate *gates, size_t count, const struct looks *l,
		  struct holm_answer *out);

#endif
