/*
 * judge.c - metrics, Holm over the gates, and the run's verdict from theirs.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/collector/judge.h"
#include "common/verdict/plan.h"

const char *run_outcome_name(enum run_outcome o)
{
	static const char *const names[] = {
#define X(symbol, name) name,
		RUN_OUTCOMES(X)
#undef X
	};

	return names[o];
}

static struct gate gate_of(const struct judged_metric *m)
{
	return (struct gate){&m->est, m->limit, m->is_higher_better};
}

static void judge_gates(struct judgement *j)
{
	const struct looks *l = &j->looks;
	struct judged_metric *of[GATES_MAX];
	struct holm_answer answers[GATES_MAX];
	struct gate gates[GATES_MAX] = {0};
	size_t count = 0;

	for (size_t i = 0; i < j->metric_count; i++) {
		if (!j->metrics[i].is_gate)
			continue;
		of[count] = &j->metrics[i];
		gates[count++] = gate_of(&j->metrics[i]);
	}
	gates_decide(gates, count, l, answers);
	for (size_t i = 0; i < count; i++) {
		double alpha = look_alpha(l, answers[i].alpha);

		of[i]->level = 1 - alpha;
		of[i]->detectable = gate_detectable(&gates[i], alpha);
		of[i]->verdict = answers[i].is_decided ? gate_verdict(&gates[i], alpha)
						       : VERDICT_CANNOT_TELL;
		of[i]->reason =
			answers[i].is_decided ? of[i]->est.note : gate_open_reason(&gates[i]);
	}
}

static void judge_metrics(struct judgement *j)
{
	double alpha = look_alpha(&j->looks, 1 - VERDICT_LEVEL);

	judge_gates(j);
	for (size_t i = 0; i < j->metric_count; i++) {
		struct judged_metric *m = &j->metrics[i];

		if (!m->is_gate)
			m->level = 1 - alpha;
		if (!m->is_gate)
			m->reason = m->est.cannot ? m->est.cannot : m->est.note;
		if (!m->is_gate && m->limit > 0) {
			struct gate g = gate_of(m);

			m->verdict = gate_verdict(&g, alpha);
			if (m->verdict == VERDICT_CANNOT_TELL)
				m->reason = gate_open_reason(&g);
		}
		estimate_bounds(&m->est, m->level, &m->bounds);
	}
}

static void make_metric(const struct json *planned, const struct measured *measured,
			const struct estimate_options *opts, struct judged_metric *m)
{
	struct gate gate;

	*m = (struct judged_metric){.name = json_get_str(planned, "name"), .level = VERDICT_LEVEL};
	m->tolerance = json_get(planned, "tolerance");
	m->is_known = metric_parse(m->name, &m->spec) == 0;
	if (m->is_known) {
		estimate_make(measured, m->name, &m->spec, opts, &m->est);
	} else {
		m->est = (struct estimate){.cannot = "unknown-metric",
					   .diff = (double)NAN,
					   .diff_abs = (double)NAN,
					   .upper_old = (double)NAN,
					   .upper_new = (double)NAN};
	}
	gate = plan_gate(planned, &m->est);
	m->limit = gate.limit;
	m->is_higher_better = gate.is_higher_better;
	m->is_gate = json_get_bool(planned, "is_gate", false) && (opts->has_old || opts->past);
}

static void make_metrics(const struct json *plan, const struct gathered *g,
			 const struct estimate_options *opts, struct judgement *j)
{
	const struct json *metrics = json_get(plan, "metrics");
	struct measured measured = gathered_measured(g);

	j->metric_count = MIN_OF(json_len(metrics), (size_t)JUDGE_METRICS_MAX);
	for (size_t i = 0; i < j->metric_count; i++)
		make_metric(json_elem(metrics, i), &measured, opts, &j->metrics[i]);
}

static const struct judged_metric *first_gate(const struct judgement *j, enum verdict v)
{
	for (size_t i = 0; i < j->metric_count; i++) {
		if (j->metrics[i].is_gate && (v == VERDICT_NONE || j->metrics[i].verdict == v))
			return &j->metrics[i];
	}
	return NULL;
}

static void say_gate(struct judgement *j, const struct judged_metric *m)
{
	const char *beyond = m->verdict == VERDICT_SAME ? "within" : "by more than";

	if (m->verdict == VERDICT_CANNOT_TELL)
		snprintf(j->verdict_reason, sizeof(j->verdict_reason), "%s: %s", m->name,
			 m->reason);
	else
		snprintf(j->verdict_reason, sizeof(j->verdict_reason), "%s is %s %s %g %s", m->name,
			 m->verdict == VERDICT_SAME ? "the same" : verdict_name(m->verdict), beyond,
			 m->limit * 100, m->est.is_points ? "points" : "%");
}

/* Any gate worse; else any open; else any better; else no difference. */
static void judge_verdict(struct judgement *j)
{
	static const enum verdict order[] = {VERDICT_WORSE, VERDICT_CANNOT_TELL, VERDICT_BETTER,
					     VERDICT_SAME};

	j->verdict = VERDICT_CANNOT_TELL;
	snprintf(j->verdict_reason, sizeof(j->verdict_reason), "no gate is planned");
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		const struct judged_metric *m = first_gate(j, order[i]);

		if (!m)
			continue;
		j->verdict = order[i];
		say_gate(j, m);
		return;
	}
}

/* Failing as often as before, or being turned away as often, is not "no difference". */
static void distrust_silence(const struct gathered *g, struct judgement *j)
{
	if ((j->verdict != VERDICT_BETTER && j->verdict != VERDICT_SAME) ||
	    doubts_has_answers(g, VARIANT_NEW))
		return;
	j->verdict = VERDICT_CANNOT_TELL;
	snprintf(j->verdict_reason, sizeof(j->verdict_reason),
		 "no-answers: not one call of the new version was answered as expected");
}

/*
 * The loader stops when too many calls fail. What it measured until then is whole rounds all the
 * same: when they show that the new version fails more, that is the answer, not "try again".
 */
static bool abort_is_an_answer(const struct gathered *g, const struct judgement *j)
{
	const struct judged_metric *worse = first_gate(j, VERDICT_WORSE);

	return g->end == END_INCOMPLETE && strstr(g->end_reason, "calls failed") && worse &&
	       worse->spec.stat == STAT_SHARE && !doubts_beyond_a_cut(g);
}

static void set_outcome(const struct gathered *g, const struct judge_facts *facts,
			struct judgement *j)
{
	static const enum run_outcome of_end[] = {RUN_VALID, RUN_INCOMPLETE, RUN_FAILED,
						  RUN_CANCELLED};

	bool is_answer = abort_is_an_answer(g, j);

	j->outcome = is_answer ? RUN_VALID : of_end[g->end];
	snprintf(j->reason, sizeof(j->reason), "%s", g->end_reason);
	if (facts->missing_shards > 0 && g->end != END_CANCELLED && g->end != END_FAILED) {
		j->outcome = RUN_INCOMPLETE;
		snprintf(j->reason, sizeof(j->reason), "%zu shards never finished: %s",
			 facts->missing_shards, facts->missing_why);
	}
	if (j->outcome == RUN_VALID && !is_answer && json_len(g->doubts) > 0) {
		j->outcome = RUN_SUSPECT;
		doubts_list(g, j->reason);
	}
	if (facts->changed && (j->outcome == RUN_VALID || j->outcome == RUN_SUSPECT)) {
		j->outcome = RUN_INVALID;
		snprintf(j->reason, sizeof(j->reason), "%s", facts->changed);
	}
}

/* A run that cannot be trusted tells nothing, whatever its gates say. */
static void distrust(const struct gathered *g, struct judgement *j)
{
	if (j->outcome == RUN_VALID || (j->outcome == RUN_SUSPECT && doubts_allow_comparison(g)))
		return;
	if (j->verdict != VERDICT_NOT_COMPARED)
		j->verdict = VERDICT_CANNOT_TELL;
	snprintf(j->verdict_reason, sizeof(j->verdict_reason), "%.20s: %.170s",
		 run_outcome_name(j->outcome), j->reason);
}

/* A confirmation stands for the run it repeats: it confirms, or nothing is told. */
static void confirm(const struct json *plan, const struct gathered *g, struct judgement *j)
{
	const char *purpose = json_str(json_at(plan, "run.purpose"));

	if (!purpose || strcmp(purpose, "confirm") != 0) {
		j->confirm_wanted = j->verdict == VERDICT_WORSE && j->outcome == RUN_VALID;
		return;
	}
	j->is_confirmed = j->verdict == VERDICT_WORSE;
	if (j->verdict == VERDICT_BETTER || j->verdict == VERDICT_SAME) {
		j->verdict = VERDICT_CANNOT_TELL;
		snprintf(j->verdict_reason, sizeof(j->verdict_reason),
			 "not-confirmed: worse the first time, not the second");
	}
	again_judge(plan, g, j);
}

/* Which look the calls are of: the loader's word, else the last. */
static struct looks looks_of(const struct json *plan, const struct gathered *g)
{
	struct looks l = looks_read(plan);

	int64_t look = json_get_int(g->stopped, "look", 0);

	l.at = look > 0 && (uint64_t)look < l.count ? (size_t)look - 1 : l.count - 1;
	return l;
}

void judge_run(const struct json *plan, struct gathered *g, const struct judge_facts *facts,
	       struct judgement *out)
{
	struct estimate_options opts = plan_options(plan);
	const struct judged_metric *gate;

	*out = (struct judgement){.verdict = VERDICT_NOT_COMPARED,
				  .looks = looks_of(plan, g),
				  .again = {.after_ms = -1}};
	doubts_find(plan, g);
	make_metrics(plan, g, &opts, out);
	judge_metrics(out);
	gate = first_gate(out, VERDICT_NONE);
	out->interval_basis = gate ? gate->est.basis : BASIS_NONE;
	if (opts.has_old || opts.past)
		judge_verdict(out);
	else
		snprintf(out->verdict_reason, sizeof(out->verdict_reason),
			 "there is no old version to compare with");
	distrust_silence(g, out);
	set_outcome(g, facts, out);
	distrust(g, out);
	confirm(plan, g, out);
	objectives_judge(plan, g, out->outcome == RUN_VALID, out);
}

void judgement_release(struct judgement *j)
{
	for (size_t i = 0; i < j->metric_count; i++)
		estimate_release(&j->metrics[i].est);
	j->metric_count = 0;
}
