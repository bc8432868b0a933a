#include "common/stats/lottery.h"

#include <math.h>

double lottery_of(const struct lottery_run *runs, size_t count)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++) {
		const struct lottery_run *r = &runs[i];
		double square = r->are_known ? r->se * r->se : r->diff * r->diff - r->se * r->se;

		sum += square * r->environments / 2;
	}
	if (count == 0)
		return (double)NAN;
	return sqrt(fmax(sum / (double)count, 0));
}

double lottery_error(double lottery, double environments)
{
	return lottery * sqrt(2 / environments);
}
