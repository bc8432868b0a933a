/* sample.c - names of figures. */
#include "common/verdict/sample.h"

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
