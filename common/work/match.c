#include "common/work/match.h"

#include <string.h>

#include "common/base/bug.h"

bool match_serves(const char *accounts, const char *account)
{
	size_t len = strlen(account);

	if (!strcmp(accounts, "*"))
		return true;
	for (const char *at = accounts; *at; at += strspn(at, ",")) {
		size_t one = strcspn(at, ",");

		if (one == len && !memcmp(at, account, len))
			return true;
		at += one;
	}
	return false;
}

/* The loader with the fewest shards of this run, then with the most room. */
static size_t pick(const struct match_loader *loaders, size_t count, const char *account)
{
	size_t best = count;

	for (size_t i = 0; i < count; i++) {
		const struct match_loader *l = &loaders[i];

		if (!l->free || l->is_kept || !match_serves(l->accounts, account))
			continue;
		if (best == count || l->mine < loaders[best].mine ||
		    (l->mine == loaders[best].mine && l->free > loaders[best].free))
			best = i;
	}
	return best;
}

static enum match must_wait(struct match_loader *loaders, size_t count, const char *account,
			    size_t n, bool has_waited)
{
	size_t slots = 0;

	for (size_t i = 0; i < count; i++)
		slots += match_serves(loaders[i].accounts, account) ? loaders[i].slots : 0;
	if (slots < n)
		return MATCH_NEVER;
	for (size_t i = 0; i < count && has_waited; i++)
		loaders[i].is_kept |= match_serves(loaders[i].accounts, account);
	return MATCH_LATER;
}

enum match match_run(struct match_loader *loaders, size_t count, const char *account, size_t n,
		     bool has_waited, size_t *loader_of)
{
	size_t placed;

	for (size_t i = 0; i < count; i++)
		loaders[i].mine = 0;
	for (placed = 0; placed < n; placed++) {
		size_t i = pick(loaders, count, account);

		if (i == count)
			break;
		loader_of[placed] = i;
		loaders[i].free--;
		loaders[i].mine++;
	}
	if (placed == n)
		return MATCH_FITS;
	while (placed)
		loaders[loader_of[--placed]].free++;
	return must_wait(loaders, count, account, n, has_waited);
}
