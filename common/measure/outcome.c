#include "common/measure/outcome.h"

#include <errno.h>

static const char *const outcomes[OUTCOME_COUNT] = {
#define X(symbol, name, text) [symbol] = name,
	OUTCOMES(X)
#undef X
};

static const char *const temperatures[TEMPERATURE_COUNT] = {
#define X(symbol, name) [symbol] = name,
	TEMPERATURES(X)
#undef X
};

static const char *const variants[VARIANT_COUNT] = {
	[VARIANT_OLD] = "old",
	[VARIANT_NEW] = "new",
};

/* Its index among the names, or -EINVAL. */
static int find(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; name && i < count; i++)
		if (!strcmp(name, names[i]))
			return (int)i;
	return -EINVAL;
}

const char *outcome_name(enum outcome o)
{
	BUG_ON(o >= OUTCOME_COUNT);
	return outcomes[o];
}

int outcome_parse(const char *name, enum outcome *out)
{
	int i = find(name, outcomes, OUTCOME_COUNT);

	if (i < 0)
		return i;
	*out = (enum outcome)i;
	return 0;
}

const char *temperature_name(enum temperature t)
{
	BUG_ON(t >= TEMPERATURE_COUNT);
	return temperatures[t];
}

int temperature_parse(const char *name, enum temperature *out)
{
	int i = find(name, temperatures, TEMPERATURE_COUNT);

	if (i < 0)
		return i;
	*out = (enum temperature)i;
	return 0;
}

const char *variant_name(enum variant v)
{
	BUG_ON(v >= VARIANT_COUNT);
	return variants[v];
}

int variant_parse(const char *name, enum variant *out)
{
	int i = find(name, variants, VARIANT_COUNT);

	if (i < 0)
		return i;
	*out = (enum variant)i;
	return 0;
}
