#include "cmd/sink/gate.h"

#include "common/base/bug.h"

/* Codes are kept in the map as addresses of this table's rows. */
static enum exit_code codes[] = {EXIT_FINE, EXIT_GATE_NO, EXIT_CANNOT_TELL, EXIT_USAGE, EXIT_AGAIN};

/* Stands for a run that a second one has answered for: what is said of it later counts no more. */
static enum exit_code answered_for = EXIT_FINE;

struct word_code {
	const char *word;
	enum exit_code code;
};

static const struct word_code outcomes[] = {
	{"skipped", EXIT_FINE},	 {"suspect", EXIT_CANNOT_TELL}, {"invalid", EXIT_CANNOT_TELL},
	{"refused", EXIT_USAGE}, {"incomplete", EXIT_AGAIN},	{"cancelled", EXIT_AGAIN},
	{"failed", EXIT_AGAIN},
};

static const struct word_code verdicts[] = {
	{"better", EXIT_FINE},	 {"no-difference", EXIT_FINE},	    {"not-compared", EXIT_FINE},
	{"worse", EXIT_GATE_NO}, {"cannot-tell", EXIT_CANNOT_TELL},
};

/* A word that we do not know says nothing: never green. */
static enum exit_code look_up(const struct word_code *rows, size_t count, const char *word)
{
	for (size_t i = 0; i < count && word != NULL; i++) {
		if (strcmp(rows[i].word, word) == 0)
			return rows[i].code;
	}
	return EXIT_CANNOT_TELL;
}

enum exit_code gate_code_of_verdict(const char *verdict)
{
	return look_up(verdicts, ARRAY_LEN(verdicts), verdict);
}

enum exit_code gate_code_of_objective(const struct json *objective)
{
	const struct json *met = json_get(objective, "is_met");

	if (!json_is(met, JSON_T_BOOL))
		return EXIT_CANNOT_TELL;
	return json_bool(met) ? EXIT_FINE : EXIT_GATE_NO;
}

static enum exit_code code_of_objectives(const struct json *objectives)
{
	enum exit_code code = EXIT_FINE;

	for (size_t i = 0; i < json_len(objectives); i++)
		code = exit_code_worse(code, gate_code_of_objective(json_elem(objectives, i)));
	return code;
}

enum exit_code gate_code_of(const struct gate *g, const struct json *data)
{
	const char *outcome = json_get_str(data, "outcome");
	const char *verdict = json_get_str(data, "verdict");
	enum exit_code code;

	if (outcome == NULL || strcmp(outcome, "valid") != 0)
		return look_up(outcomes, ARRAY_LEN(outcomes), outcome);
	code = gate_code_of_verdict(verdict);
	if (g->needs_comparison && verdict != NULL && strcmp(verdict, "not-compared") == 0)
		code = EXIT_CANNOT_TELL;
	return exit_code_worse(code, code_of_objectives(json_get(data, "objectives")));
}

static enum exit_code *keep(enum exit_code code)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (codes[i] == code)
			return &codes[i];
	}
	BUG("no run ends with code %d", (int)code);
}

/* The oldest runs can no longer be amended: their codes stay, their ids go. */
static void forget_oldest(struct gate *g)
{
	while (g->runs.count > GATE_RUNS_MAX) {
		enum exit_code *code = strmap_remove(&g->runs, g->runs.items[0].key);

		g->folded = exit_code_worse(g->folded, *code);
	}
}

const char *gate_verdict_text(const struct json *data)
{
	const char *verdict = json_get_str(data, "verdict");

	if (verdict && strcmp(verdict, "worse") == 0 && !json_get_bool(data, "is_confirmed", false))
		return "worse (unconfirmed)";
	return verdict;
}

void gate_add(struct gate *g, const struct json *data)
{
	const char *run = json_str(json_at(data, "run.id"));
	const char *confirms = json_str(json_at(data, "run.confirms"));
	enum exit_code code = gate_code_of(g, data);

	g->has_change = true;
	if (run == NULL) {
		g->folded = exit_code_worse(g->folded, code);
		return;
	}
	/* The first run said worse; a second that does not agree leaves the question open. */
	if (confirms != NULL && strcmp(confirms, run) != 0) {
		strmap_put(&g->runs, confirms, &answered_for);
		if (code == EXIT_FINE)
			code = EXIT_CANNOT_TELL;
	}
	if (strmap_get(&g->runs, run) != &answered_for)
		strmap_put(&g->runs, run, keep(code));
	forget_oldest(g);
}

bool gate_knows(const struct gate *g, const char *run)
{
	return run != NULL && strmap_get(&g->runs, run) != NULL;
}

enum exit_code gate_code(const struct gate *g)
{
	enum exit_code code = g->folded;

	for (size_t i = 0; i < g->runs.count; i++)
		code = exit_code_worse(code, *(enum exit_code *)g->runs.items[i].value);
	if (!g->has_change && !g->may_be_empty)
		code = exit_code_worse(code, EXIT_CANNOT_TELL);
	return code;
}

void gate_release(struct gate *g)
{
	strmap_release(&g->runs, NULL);
}
