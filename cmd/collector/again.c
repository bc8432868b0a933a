/*
 * again.c - on what a confirmation rests: whether the environments that answered it had answered
 * the run before, and how much later it was.
 *
 * Nothing makes a provider take other environments for the same version, so it is measured and
 * said (docs/VERDICT.md). The first run's are handed on by the planner (run.planned: first).
 */
#include <stdio.h>
#include <string.h>

#include "cmd/collector/judge.h"
#include "common/base/unit.h"

/* More a side are not kept: then it is not known which of them come again. */
#define NAMES_MAX 256

static bool has_name(const struct json *list, const char *name)
{
	for (size_t i = 0; i < json_len(list); i++) {
		const char *own = json_str(json_elem(list, i));

		if (own && strcmp(own, name) == 0)
			return true;
	}
	return false;
}

static void count_shared(const struct json *before, const struct json *now, struct judged_again *a)
{
	for (size_t i = 0; i < json_len(now); i++)
		a->shared += has_name(before, json_str(json_elem(now, i)));
	a->environments += json_len(now);
}

/* Names that were no environments are not told either. */
static void find_shared(const struct json *first, const struct gathered *g, struct judgement *j)
{
	const struct json *before = json_get(first, "environments");

	if (!before || j->interval_basis != BASIS_ENVIRONMENTS)
		return;
	for (int v = 0; v < VARIANT_COUNT; v++)
		count_shared(json_get(before, variant_name((enum variant)v)), g->environments[v],
			     &j->again);
	j->again.knows_environments = true;
}

static int64_t after_ms(const struct json *first, const struct gathered *g)
{
	const char *text = json_get_str(first, "ended_at");
	struct wall ended;

	if (!text || !g->started.ns || wall_parse_rfc3339(text, &ended) != 0)
		return -1;
	return MAX_OF(wall_diff_ns(g->started, ended) / NS_PER_MS, INT64_C(-1));
}

static void say(struct judgement *j)
{
	const struct judged_again *a = &j->again;
	size_t len = strlen(j->verdict_reason);
	char later[UNIT_TEXT_SIZE + 8] = "", text[UNIT_TEXT_SIZE], which[80];

	if (a->after_ms >= 0) {
		unit_format_duration_ns(a->after_ms * NS_PER_MS, text);
		snprintf(later, sizeof(later), " %s later", text);
	}
	if (!a->knows_environments)
		snprintf(which, sizeof(which), "which environments answered both is not known");
	else if (a->shared == 0)
		snprintf(which, sizeof(which),
			 "none of %zu environments had answered the first run", a->environments);
	else
		snprintf(which, sizeof(which),
			 "%zu of %zu environments had answered the first run too", a->shared,
			 a->environments);
	snprintf(j->verdict_reason + len, sizeof(j->verdict_reason) - len, "; again%s: %s", later,
		 which);
}

void again_judge(const struct json *plan, const struct gathered *g, struct judgement *j)
{
	const struct json *first = json_get(plan, "first");

	j->again.after_ms = after_ms(first, g);
	find_shared(first, g, j);
	/* A run that tells nothing has said why. */
	if (j->outcome == RUN_VALID)
		say(j);
}

struct json *again_keep(const struct gathered *g, const struct judgement *j)
{
	struct json *o = json_obj(), *names = json_obj();
	char text[WALL_RFC3339_SIZE];
	bool is_known = j->interval_basis == BASIS_ENVIRONMENTS;

	for (int v = 0; v < VARIANT_COUNT; v++) {
		is_known &= json_len(g->environments[v]) <= NAMES_MAX;
		if (g->environments[v])
			json_put(names, variant_name((enum variant)v),
				 json_copy(g->environments[v]));
	}
	if (g->ended.ns) {
		wall_format_rfc3339(g->ended, text);
		json_put_str(o, "ended_at", text);
	}
	if (is_known)
		json_put(o, "environments", names);
	else
		json_free(names);
	return o;
}
