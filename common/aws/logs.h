/*
 * logs.h - which execution environment answered, from the function's logs: FilterLogEvents (rank
 *3).
 *
 * Each log stream of a function is one execution environment; the request id of a call stands in
 * the report line that ends it there.
 *
 *	struct logs_query q = {.group = "/aws/lambda/hello", .from = started, .to = ended};
 *	struct logs_calls calls;
 *	logs_calls_init(&calls, q.is_json);
 *	rc = logs_read_reports(c, &q, &calls, &err);
 *	... logs_calls_stream(&calls, "3897a7c2-...") ...
 *	logs_calls_release(&calls);
 *
 * What is read does not depend on the order of events, which the service gives interleaved. A
 * function can print what looks like a report: an id that stands in two streams is in neither.
 *
 * DIAGNOSTICS
 *	A page that is no answer of FilterLogEvents is AWS_BAD_ANSWER. Events in it that are no
 *	report are skipped. Past LOGS_PAGES_MAX pages or LOGS_CALLS_MAX calls reading ends, without
 *	an error, and is_cut is set.
 */
#ifndef PLIMSOLL_AWS_LOGS_H
#define PLIMSOLL_AWS_LOGS_H

#include "common/aws/aws.h"
#include "common/base/strmap.h"
#include "common/json/json.h"

#define LOGS_CALLS_MAX 30000
#define LOGS_PAGES_MAX 100
#define LOGS_EVENTS_A_PAGE 5000
#define LOGS_ID_MAX_BYTES 36
#define LOGS_STREAM_MAX_BYTES 512

struct logs_query { /* borrowed */
	const char *group;
	bool is_json; /* the function's LogFormat: JSON instead of Text */
	struct wall from, to;
};

struct logs_calls {
	struct strmap streams; /* name -> its number, from 1 */
	struct strmap by_id;   /* request id -> number of its stream */
	bool is_json, is_cut;
};

void logs_calls_init(struct logs_calls *calls, bool is_json);
void logs_calls_release(struct logs_calls *calls);
/* Its log stream, or NULL: not seen, or in two. Borrowed. */
const char *logs_calls_stream(const struct logs_calls *calls, const char *id);

/* Blocks; bounded in pages, bytes and calls. What was read before an error stays in calls. */
MUST_CHECK int logs_read_reports(struct aws_client *c, const struct logs_query *q,
				 struct logs_calls *calls, struct aws_error *err);

/* {"streams": [name, ...], "calls": {request id: index of its stream, ...}}, the caller's. */
struct json *logs_calls_json(const struct logs_calls *calls);

/* The pure parts, for the tests. NULL, or what is wrong; next_out is the caller's, NULL = the end.
 */
const char *logs_take_page(struct logs_calls *calls, const char *body, size_t body_bytes,
			   char **next_out, char why[JSON_WHY_SIZE]);
/* The request id in one report; false: it is none. */
bool logs_report_id(const char *message, bool is_json, char id[LOGS_ID_MAX_BYTES + 1]);

#endif
