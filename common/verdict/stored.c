/*
 * stored.c - one run against the last ones, where no old version can be called.
 *
 * Runs differ by the hosts they landed on and by their hour; how much, the past runs show. With n
 * of them, mean m and standard deviation s, a further run of unchanged code lies in
 * m +- t(n - 1) * s * sqrt(1 + 1/n) (the prediction interval of a normal sample), so the interval
 * of the difference is x - m with the same half. In log time for a ratio.
 */
#include <math.h>
#include <stdlib.h>

#include "common/verdict/metric.h"

const struct json *stored_value(const struct json *entry, const char *name)
{
	return json_get(json_get(entry, "metrics"), name);
}

static size_t values_of(const struct json *past, const char *name, double *out)
{
	size_t count = 0;

	for (size_t i = 0; i < json_len(past); i++) {
		double value =
			json_get_real(stored_value(json_elem(past, i), name), "value", (double)NAN);

		if (isfinite(value) && value > 0)
			out[count++] = value;
	}
	return count;
}

static void mean_and_variance(const double *v, size_t count, double *mean, double *variance)
{
	*mean = *variance = 0;
	for (size_t i = 0; i < count; i++)
		*mean += v[i] / (double)count;
	for (size_t i = 0; i < count; i++)
		*variance += (v[i] - *mean) * (v[i] - *mean) / (double)(count - 1);
}

static struct welch predict(const double *v, size_t count, double now, double *mean)
{
	double variance, n = (double)count;
	struct welch w;

	mean_and_variance(v, count, mean, &variance);
	w = (struct welch){.diff = now - *mean, .se = sqrt(variance * (1 + 1 / n)), .df = n - 1};
	return w;
}

void stored_estimate(const struct estimate_options *opts, const char *name, struct estimate *e)
{
	double *values = x_calloc(json_len(opts->past) + 1, sizeof(*values)), mean;
	size_t count = values_of(opts->past, name, values);

	e->n_old = count;
	if (!e->has_new || e->new <= 0) {
		e->cannot = "no-data";
	} else if (count < STORED_RUNS_MIN) {
		e->cannot = "few-runs";
	} else {
		e->abs_welch = predict(values, count, e->new, &e->old);
		for (size_t i = 0; i < count; i++)
			values[i] = log(values[i]);
		e->log_welch = predict(values, count, log(e->new), &mean);
		e->has_old = true;
		e->basis = BASIS_STORED;
		e->diff = expm1(e->log_welch.diff);
		e->diff_abs = e->abs_welch.diff;
	}
	free(values);
}
