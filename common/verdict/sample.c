/* sample.c - names of figures, and which calls speak. */
#include "common/verdict/sample.h"

/* From this share of classified calls on, latency is judged on the warm ones (docs/MEASURING.md).
 */
#define WARM_SHARE 0.9

static const struct {
	const char *name, *unit;
	bool is_start;
} figures[] = {
#define X(symbol, name, unit, is_start) {name, unit, is_start},
	FIGURES(X)
#undef X
};

const char *figure_name(enum figure f)
{
	return figures[f].name;
}

const char *figure_unit(enum figure f)
{
	return figures[f].unit;
}

bool figure_is_start(enum figure f)
{
	return figures[f].is_start;
}

bool measured_is_on_basis(const struct measured *m, enum temperature t)
{
	return !m->is_warm || t == TEMP_WARM;
}

/* Both variants must be classified: a basis of its own for each would compare unlike things. */
bool figures_are_warm(uint64_t ok[VARIANT_COUNT][TEMPERATURE_COUNT])
{
	for (int v = 0; v < VARIANT_COUNT; v++) {
		uint64_t all = 0;

		for (int t = 0; t < TEMPERATURE_COUNT; t++)
			all += ok[v][t];
		if ((double)(all - ok[v][TEMP_UNKNOWN]) < WARM_SHARE * (double)all)
			return false;
	}
	return true;
}
