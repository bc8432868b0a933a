/*
 * ask_cloud.h - the child that asks the provider: plimsoll-collector --ask-cloud < question.
 *
 * A process of its own, since an answer may take a minute (limiter, retries) and a verdict must
 * not wait for it. Question and answer are JSON:
 *
 *	{"config": "plimsoll.yaml", "state": DIR?, "account": "prod", "function": "hello",
 *	 "want": "figures", "from": "2026-...Z", "to": "2026-...Z",
 *	 "variants": [{"name": "old", "qualifier": "1"}, ...]}
 *	-> {"source": "cloudwatch", "invocations": 352, "errors": 0, "throttles": 0,
 *	    "duration_p50_ms": 60.1, "versions": {"old": {"invocations": 176, "throttles": 0}, ...}}
 *
 *	{..., "want": "revision", "qualifier": "$LATEST"}
 *	-> {"revision": "...", "code_sha256": "..."}
 *
 *	{..., "want": "environments", "from": ..., "to": ...}
 *	-> {"streams": ["2026/11/23/[2]0f...", ...], "calls": {REQUEST ID: index of its stream,
 *...}}
 *
 * A member is absent where the provider has no figure. Exit 0; 100 or 111 with one line of talk,
 *also for an answer that is larger than ASK_CLOUD_ANSWER_MAX_BYTES.
 */
#ifndef PLIMSOLL_COLLECTOR_ASK_CLOUD_H
#define PLIMSOLL_COLLECTOR_ASK_CLOUD_H

#include "common/aws/cloudwatch.h"
#include "common/json/json.h"

/* LOGS_CALLS_MAX calls in streams of AWS' own names; figures are far less. */
#define ASK_CLOUD_ANSWER_MAX_BYTES (4u * 1024u * 1024u)

int ask_cloud_main(void);

/* The pure part: figures from the answers to ask_cloud_queries(), for the tests. */
#define ASK_CLOUD_METRICS 4		  /* of the function */
#define ASK_CLOUD_QUERIES_MAX (4 + 2 * 2) /* and two of each variant */
size_t ask_cloud_queries(const struct json *question, struct cloudwatch_query *out,
			 struct buf resources[2]);
struct json *ask_cloud_figures(const struct json *question, const struct cloudwatch_result *results,
			       size_t count);

#endif
