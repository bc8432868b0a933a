/* rule.c - patterns: what matches, and which is the more specific. */
#include <stdlib.h>
#include <string.h>

#include "common/config/read.h"

bool pattern_matches(const char *pattern, const char *name)
{
	const char *star = NULL, *resume = NULL;

	while (*name) {
		if (*pattern == '*') {
			star = pattern++;
			resume = name;
		} else if (*pattern == '?' || *pattern == *name) {
			pattern++;
			name++;
		} else if (star) { /* let the last star take one more */
			pattern = star + 1;
			name = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

bool pattern_is_plain(const char *pattern)
{
	return !strpbrk(pattern, "*?");
}

static size_t wildcards(const char *p)
{
	size_t n = 0;

	for (; *p; p++)
		n += *p == '*' || *p == '?';
	return n;
}

static size_t stars(const char *p)
{
	size_t n = 0;

	for (; *p; p++)
		n += *p == '*';
	return n;
}

/*
 * A plain name first, then most literal characters, then fewest stars (a ? says more than a *),
 * then fewest wildcards, then by the alphabet so that the order in files never matters.
 */
int pattern_compare(const char *a, const char *b)
{
	size_t wild_a = wildcards(a), wild_b = wildcards(b);
	size_t literal_a = strlen(a) - wild_a, literal_b = strlen(b) - wild_b;

	if ((wild_a == 0) != (wild_b == 0))
		return wild_a == 0 ? 1 : -1;
	if (literal_a != literal_b)
		return literal_a > literal_b ? 1 : -1;
	if (stars(a) != stars(b))
		return stars(a) < stars(b) ? 1 : -1;
	if (wild_a != wild_b)
		return wild_a < wild_b ? 1 : -1;
	return strcmp(b, a);
}

const struct config_account *config_account(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->account_count; i++) {
		if (strcmp(c->accounts[i].name, name) == 0)
			return &c->accounts[i];
	}
	return NULL;
}

const struct config_test *config_test(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->test_count; i++) {
		if (strcmp(c->tests[i].name, name) == 0)
			return &c->tests[i];
	}
	return NULL;
}

const struct config_function *config_rule(const struct config *c, const char *account,
					  const char *function)
{
	const struct config_function *best = NULL;

	for (size_t i = 0; i < c->function_count; i++) {
		const struct config_function *f = &c->functions[i];

		if (strcmp(f->account, account) == 0 && pattern_matches(f->pattern, function) &&
		    (!best || pattern_compare(f->pattern, best->pattern) > 0))
			best = f;
	}
	return best;
}

size_t config_objectives(const struct config *c, const char *account, const char *function,
			 const struct config_objective *out[CONFIG_OBJECTIVES_MAX])
{
	const char *best = NULL;
	size_t count = 0;

	for (size_t i = 0; i < c->objective_count; i++) {
		const struct config_objective *o = &c->objectives[i];

		if (strcmp(o->account, account) == 0 && pattern_matches(o->pattern, function) &&
		    (!best || pattern_compare(o->pattern, best) > 0))
			best = o->pattern;
	}
	for (size_t i = 0; best && i < c->objective_count && count < CONFIG_OBJECTIVES_MAX; i++) {
		const struct config_objective *o = &c->objectives[i];

		if (strcmp(o->account, account) == 0 && strcmp(o->pattern, best) == 0)
			out[count++] = o;
	}
	return count;
}
