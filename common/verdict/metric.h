/*
 * metric.h - one metric of a run: its value for each variant, and the difference with an interval
 * at any level.
 *
 * Pure. The basis is chosen per metric (docs/MEASURING.md):
 *	environments	Welch's interval on the environments' medians
 *	blocks-widened	bootstrap over blocks, widened by the lottery term
 *	blocks		shares of calls, thinned by the design effect of the blocks
 *	stored		Student's prediction interval from the last runs
 *	none		no interval: a maximum, too little data, or nothing to compare with
 *
 *	struct metric_spec spec;
 *	struct estimate est;
 *	if (metric_parse("response_p50", &spec) == 0) {
 *		estimate_make(m, "response_p50", &spec, &opts, &est);
 *		estimate_bounds(&est, 0.95, &bounds);
 *		estimate_release(&est);
 *	}
 */
#ifndef PLIMSOLL_VERDICT_METRIC_H
#define PLIMSOLL_VERDICT_METRIC_H

#include "common/verdict/sample.h"
#include "common/json/json.h"
#include "common/stats/boot.h"
#include "common/stats/rate.h"
#include "common/stats/welch.h"

enum metric_stat { STAT_QUANTILE, STAT_MEAN, STAT_MAX, STAT_SHARE };

struct metric_spec {
	enum metric_stat stat;
	enum figure figure; /* not of a share */
	double q;	    /* of a quantile, 0 to 1 */
	unsigned bad;	    /* of a share: bits of enum outcome */
	unsigned among;
	const char *unit; /* "us", "KiB", "usd", "1" */
};

/* "response_p95", "memory_max", "cost_per_million", "error_ratio", ... -EINVAL for others. */
MUST_CHECK int metric_parse(const char *name, struct metric_spec *out);

enum estimate_basis {
	BASIS_NONE,
	BASIS_ENVIRONMENTS,
	BASIS_BLOCKS_WIDENED,
	BASIS_BLOCKS,
	BASIS_STORED,
};
const char *estimate_basis_name(enum estimate_basis b); /* "environments", ..., "none" */

struct estimate_options {
	bool has_old; /* the old variant was called too */
	/* run.planned's past: what the last runs measured, in the place of an old variant. NULL and
	 * no has_old: only the new variant's value is wanted. */
	const struct json *past;
	double environments; /* a side, as planned; 1 where unknown */
	double lottery;	     /* spread from host to host in log time */
	uint64_t seed;
};

struct estimate {
	bool has_old, has_new; /* values */
	double old, new;       /* in the unit */
	size_t n_old, n_new;   /* calls behind them; stored: runs behind old */
	size_t environments_old, environments_new;
	enum estimate_basis basis;
	const char *cannot;    /* why there is no interval, or none that counts; NULL = there is */
	const char *note;      /* what the reader must know beside it; NULL = nothing */
	bool is_points;	       /* else the difference is a ratio */
	double diff, diff_abs; /* NAN = unknown */
	double upper_old,
		upper_new; /* of shares without a single event: 95 % upper bounds; else NAN */
	/* behind the bounds */
	struct welch log_welch, abs_welch;
	struct boot log_boot, abs_boot;
	struct rate_diff rate;
	double lottery, lottery_environments, scale;
};

struct bounds {
	double low, high;	  /* ratio or points; NAN without an interval */
	double low_abs, high_abs; /* in the unit */
};

void estimate_make(const struct measured *m, const char *name, const struct metric_spec *spec,
		   const struct estimate_options *opts, struct estimate *out);
void estimate_bounds(const struct estimate *est, double level, struct bounds *out);
void estimate_release(struct estimate *est);

/* The parts, each in its file. They fill basis, cannot, differences, and what is behind them. */
void latency_estimate(const struct measured *m, const struct metric_spec *spec,
		      const struct estimate_options *opts, struct estimate *est);
void share_estimate(const struct measured *m, const char *name, const struct metric_spec *spec,
		    const struct estimate_options *opts, struct estimate *est);
#define STORED_RUNS_MIN 5 /* fewer past runs say nothing of how runs differ */
void stored_estimate(const struct estimate_options *opts, const char *name, struct estimate *est);
/* {"value", "n"} of a metric in an entry of past; NULL when it has none. */
const struct json *stored_value(const struct json *entry, const char *name);

#endif
