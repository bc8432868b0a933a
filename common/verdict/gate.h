/*
 * gate.h - from intervals to words: one metric against its tolerance, and several gates of one run
 * under Holm's procedure (rank 3).
 *
 *	struct gate gates[] = {{&est_p50, 0.1, false}, {&est_errors, 0.005, false}};
 *	struct holm_answer answers[2];
 *	gates_decide(gates, 2, answers);
 *	word = gate_verdict(&gates[0], answers[0].alpha);
 */
#ifndef PLIMSOLL_VERDICT_GATE_H
#define PLIMSOLL_VERDICT_GATE_H

#include "common/stats/holm.h"
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

/* An interval against a tolerance; factor 2 for two or three environments a side. */
enum verdict gate_verdict_of(const struct bounds *b, double limit, bool is_higher_better,
			     size_t environments);
/* At the level 1 - alpha. VERDICT_CANNOT_TELL where there is no interval that counts. */
enum verdict gate_verdict(const struct gate *g, double alpha);
/* Why it stays open. */
const char *gate_open_reason(const struct gate *g);
/* Which of at most GATES_MAX gates are decided, and at which alpha each is to be told. */
void gates_decide(const struct gate *gates, size_t count, struct holm_answer *out);

#endif
