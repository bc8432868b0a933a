/*
 * prom.h - metrics in Prometheus' text format, from one table (rank 2).
 *
 * metrics.def names every metric, its type, its labels and their values. A page of metrics can
 * hold nothing else: a label value outside its list, a name that is no name, a figure that is not
 * finite are refused when they are set, so that no page ever spoils a gateway.
 *
 *	struct prom p = PROM_INIT;
 *	rc = prom_set(&p, PM_VERDICT, (const char *[]){"worse"}, 1);
 *	rc = prom_set(&p, PM_RUN_PENDING, NULL, 0);
 *	prom_write(&p, &body);		// # HELP, # TYPE and the samples, metric by metric
 *	prom_release(&p);
 *
 * The format: https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * DIAGNOSTICS
 *	-EINVAL data that has no place in a label or a sample; -E2BIG more than series_max.
 *	A wrong number of label values is a bug.
 */
#ifndef PLIMSOLL_PROM_PROM_H
#define PLIMSOLL_PROM_PROM_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

enum prom_label {
#define PROM_LABEL(symbol, name, values) symbol,
#include "common/prom/metrics.def"
#undef PROM_LABEL
	PROM_LABEL_COUNT
};

enum prom_metric {
#define PROM_METRIC(symbol, name, type, scope, labels, help) symbol,
#include "common/prom/metrics.def"
#undef PROM_METRIC
	PROM_METRIC_COUNT
};

#define PROM_LABELS_MAX 2
/* A group of the gateway: ours, and the two series that the gateway adds make 63 at most. */
#define PROM_SERIES_MAX 61
#define PROM_NAME_SIZE 65

struct prom_sample {
	enum prom_metric metric;
	char labels[PROM_LABELS_MAX][PROM_NAME_SIZE];
	double value;
};

struct prom {
	struct prom_sample *samples; /* owned */
	size_t count, cap;
	size_t series_max; /* 0 = PROM_SERIES_MAX */
};

#define PROM_INIT                                                                                  \
	{                                                                                          \
		0                                                                                  \
	}

/* One sample; values are in the table's order, NULL for a metric without labels. The same series
 * set again is replaced. */
MUST_CHECK int prom_set(struct prom *p, enum prom_metric m, const char *const *values, double v);
void prom_write(const struct prom *p, struct buf *out);
void prom_release(struct prom *p);

/* "plimsoll_verdict" */
const char *prom_metric_name(enum prom_metric m);
/* The i-th word of a label's closed list, or NULL past its end (and for labels without one). The
 * result borrows word. */
const char *prom_label_word(enum prom_label l, size_t i, char word[PROM_NAME_SIZE]);

/*
 * Text as a label may hold it: "response_p95 < 300ms" becomes "response_p95_lt_300ms",
 * "$LATEST" becomes "LATEST". -EINVAL when nothing is left or it is too long.
 */
MUST_CHECK int prom_slug(const char *text, char out[PROM_NAME_SIZE]);

/*
 * The path of a group: "/metrics/job/plimsoll/account/prod/function/hello". A value that cannot
 * stand in a path as it is takes the gateway's base64 form. pairs is name, value, name, value, ….
 */
void prom_group_path(const char *const *pairs, size_t pair_count, struct buf *out);

/* Help text and label values as the format wants them. */
void prom_escape(const char *text, bool is_label_value, struct buf *out);

/* docs/METRICS.md, from the table. */
void prom_reference(struct buf *markdown);

#endif
