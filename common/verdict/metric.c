/*
 * metric.c - names of metrics, plain values, bounds.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/verdict/metric.h"
#include "common/stats/quantile.h"

#define NOTHING ((double)NAN)
#define BIT(outcome) (1u << (outcome))
#define FAILED                                                                                     \
	(BIT(OUT_FUNCTION_ERROR) | BIT(OUT_HTTP_ERROR) | BIT(OUT_TIMEOUT) | BIT(OUT_CONNECT) |     \
	 BIT(OUT_TLS) | BIT(OUT_DNS))

/* Of a throttled call nobody knows how the function would have answered, so it is no error. */
static const struct {
	const char *name;
	unsigned bad, among;
} shares[] = {
	{"error_ratio", FAILED, FAILED | BIT(OUT_OK)},
	{"throttle_ratio", BIT(OUT_THROTTLED), FAILED | BIT(OUT_OK) | BIT(OUT_THROTTLED)},
};

static const struct {
	const char *name;
	enum metric_stat stat;
	double q;
} stats[] = {{"p50", STAT_QUANTILE, 0.50}, {"p90", STAT_QUANTILE, 0.90},
	     {"p95", STAT_QUANTILE, 0.95}, {"p99", STAT_QUANTILE, 0.99},
	     {"mean", STAT_MEAN, 0},	   {"max", STAT_MAX, 0}};

static int parse_stat(const char *name, enum figure f, struct metric_spec *out)
{
	for (size_t i = 0; i < ARRAY_LEN(stats); i++) {
		if (strcmp(name, stats[i].name) != 0)
			continue;
		*out = (struct metric_spec){stats[i].stat, f, stats[i].q, 0, 0, figure_unit(f)};
		return 0;
	}
	return -EINVAL;
}

int metric_parse(const char *name, struct metric_spec *out)
{
	if (!name)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(shares); i++) {
		if (strcmp(name, shares[i].name) == 0) {
			*out = (struct metric_spec){.stat = STAT_SHARE,
						    .bad = shares[i].bad,
						    .among = shares[i].among,
						    .unit = "1"};
			return 0;
		}
	}
	if (strcmp(name, "cost_per_million") == 0)
		return parse_stat("mean", FIG_COST, out);
	for (int f = 0; f < FIG_COST; f++) {
		size_t len = strlen(figure_name((enum figure)f));

		if (strncmp(name, figure_name((enum figure)f), len) == 0 && name[len] == '_')
			return parse_stat(name + len + 1, (enum figure)f, out);
	}
	return -EINVAL;
}

const char *estimate_basis_name(enum estimate_basis b)
{
	static const char *const names[] = {"none", "environments", "blocks-widened", "blocks",
					    "stored"};

	return names[b];
}

static bool value_of_histogram(const struct hdr *h, const struct metric_spec *spec, double *out)
{
	if (!h || hdr_count(h) == 0)
		return false;
	if (spec->stat == STAT_MEAN)
		*out = hdr_mean(h);
	else
		*out = (double)hdr_percentile(h, spec->stat == STAT_MAX ? 100 : spec->q * 100);
	return true;
}

/* A call whose value counts: as in latency.c, on the run's temperature basis. */
static bool counts(const struct measured *m, const struct metric_spec *spec, enum variant v,
		   const struct sample *s)
{
	bool is_start = figure_is_start(spec->figure);

	return s->variant == v && s->outcome == OUT_OK && s->value[spec->figure] > 0 &&
	       (is_start || !s->is_warmup) &&
	       (is_start || spec->figure == FIG_MEMORY || measured_is_on_basis(m, s->temperature));
}

/* Where there is no histogram (the cost never has one) the calls themselves speak. */
static bool value_of_samples(const struct measured *m, const struct metric_spec *spec,
			     enum variant v, double *out, size_t *n)
{
	double *values = x_calloc(m->count + 1, sizeof(*values)), sum = 0;

	*n = 0;
	for (size_t i = 0; i < m->count; i++) {
		if (!counts(m, spec, v, &m->samples[i]))
			continue;
		values[*n] = m->samples[i].value[spec->figure];
		sum += values[(*n)++];
	}
	if (*n > 0 && spec->stat == STAT_MEAN)
		*out = sum / (double)*n;
	else if (*n > 0)
		*out = quantile_in_place(values, *n, spec->stat == STAT_MAX ? 1 : spec->q);
	free(values);
	return *n > 0;
}

/* Histograms hold nothing of the warm-up, which is where most starts are. */
static bool value_of(const struct measured *m, const struct metric_spec *spec, enum variant v,
		     double *out, size_t *n)
{
	const struct hdr *h = m->hist[v][spec->figure];

	if ((!h || figure_is_start(spec->figure)) && value_of_samples(m, spec, v, out, n))
		return true;
	*n = h ? (size_t)hdr_count(h) : 0;
	return value_of_histogram(h, spec, out);
}

void estimate_make(const struct measured *m, const char *name, const struct metric_spec *spec,
		   const struct estimate_options *opts, struct estimate *out)
{
	*out = (struct estimate){.diff = NOTHING,
				 .diff_abs = NOTHING,
				 .upper_old = NOTHING,
				 .upper_new = NOTHING,
				 .is_points = spec->stat == STAT_SHARE};
	if (spec->stat == STAT_SHARE) {
		share_estimate(m, name, spec, opts, out);
		return;
	}
	out->has_new = value_of(m, spec, VARIANT_NEW, &out->new, &out->n_new);
	if (opts->past)
		stored_estimate(opts, name, out);
	if (!opts->has_old)
		return;
	out->has_old = value_of(m, spec, VARIANT_OLD, &out->old, &out->n_old);
	if (!out->has_old || !out->has_new) {
		out->cannot = "no-data";
		return;
	}
	if (spec->stat == STAT_MAX)
		out->cannot = "no-interval";
	else
		latency_estimate(m, spec, opts, out);
	if (isnan(out->diff)) {
		out->diff_abs = out->new - out->old;
		out->diff = out->old > 0 ? out->new / out->old - 1 : NOTHING;
	}
}

static void bounds_of_bootstrap(const struct estimate *e, double level, struct bounds *b)
{
	if (boot_bounds(&e->log_boot, level, &b->low, &b->high) != 0 ||
	    boot_bounds(&e->abs_boot, level, &b->low_abs, &b->high_abs) != 0) {
		*b = (struct bounds){NOTHING, NOTHING, NOTHING, NOTHING};
		return;
	}
	boot_widen(level, e->lottery, e->lottery_environments, log1p(e->diff), &b->low, &b->high);
	boot_widen(level, e->lottery * e->scale, e->lottery_environments, e->diff_abs, &b->low_abs,
		   &b->high_abs);
	b->low = expm1(b->low);
	b->high = expm1(b->high);
}

void estimate_bounds(const struct estimate *e, double level, struct bounds *b)
{
	*b = (struct bounds){NOTHING, NOTHING, NOTHING, NOTHING};
	switch (e->basis) {
	case BASIS_ENVIRONMENTS:
	case BASIS_STORED:
		welch_bounds(&e->log_welch, level, &b->low, &b->high);
		welch_bounds(&e->abs_welch, level, &b->low_abs, &b->high_abs);
		b->low = expm1(b->low);
		b->high = expm1(b->high);
		break;
	case BASIS_BLOCKS_WIDENED:
		bounds_of_bootstrap(e, level, b);
		break;
	case BASIS_BLOCKS:
		if (isnan(e->upper_old))
			rate_diff_bounds(&e->rate, level, &b->low, &b->high);
		else
			b->low = b->high = 0; /* identical data; see share.c */
		b->low_abs = b->low;
		b->high_abs = b->high;
		break;
	case BASIS_NONE:
		break;
	}
}

void estimate_release(struct estimate *e)
{
	boot_release(&e->log_boot);
	boot_release(&e->abs_boot);
}
