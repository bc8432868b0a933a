/*
 * cloudwatch.h - GetMetricData of the namespace AWS/Lambda, JSON protocol (rank 3).
 *
 * Any number of queries: they go out in batches of 500, and pages (NextToken) are put
 * together.
 *
 *	struct cloudwatch_query q = {.metric = "Invocations", .stat = "Sum", .period_s = 60,
 *				     .function = "hello", .resource = "hello:2"};
 *	struct cloudwatch_result r = {0};
 *	rc = cloudwatch_get(c, &q, 1, from, to, &r, &err);
 *	double sum = cloudwatch_sum(&r);
 *	cloudwatch_result_release(&r);
 */
#ifndef PLIMSOLL_AWS_CLOUDWATCH_H
#define PLIMSOLL_AWS_CLOUDWATCH_H

#include "common/aws/aws.h"

#define CLOUDWATCH_BATCH_MAX 500
#define CLOUDWATCH_POINTS_MAX 100800 /* of one result; more is AWS_BAD_ANSWER */

struct cloudwatch_query {   /* borrowed */
	const char *metric; /* "Invocations", "Errors", "Throttles", "Duration", ... */
	const char *stat;   /* "Sum", "Maximum", "p50", ... */
	uint32_t period_s;
	const char *function;	      /* FunctionName */
	const char *resource;	      /* "name:version"; NULL = without that dimension */
	const char *executed_version; /* NULL = without that dimension */
};

enum cloudwatch_status { CW_COMPLETE, CW_PARTIAL, CW_INTERNAL_ERROR, CW_FORBIDDEN };

struct cloudwatch_point {
	struct wall at;
	double value;
};

struct cloudwatch_result {
	enum cloudwatch_status status;	 /* of this query alone */
	struct cloudwatch_point *points; /* ascending by time */
	size_t count, cap;
	char message[160]; /* what the service said about it; "" = nothing */
};

/*
 * Fills results[count], in the order of the queries. from is rounded down and to up to a whole
 * minute. 0 also when single results are not CW_COMPLETE: look at each status.
 */
MUST_CHECK int cloudwatch_get(struct aws_client *c, const struct cloudwatch_query *queries,
			      size_t count, struct wall from, struct wall to,
			      struct cloudwatch_result *results, struct aws_error *err);
void cloudwatch_result_release(struct cloudwatch_result *r);
double cloudwatch_sum(const struct cloudwatch_result *r); /* 0 for no point: ask count */

#endif
