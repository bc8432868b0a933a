#include "common/aws/cloudwatch.h"

#include <errno.h>

#include "common/base/unit.h"
#include "common/json/json.h"

#define ANSWER_MAX_BYTES HTTP_BODY_MAX_BYTES
#define MINUTE_S 60
#define PAGES_MAX 10000

static const struct {
	const char *word;
	enum cloudwatch_status status;
} statuses[] = {
	{"Complete", CW_COMPLETE},
	{"PartialData", CW_PARTIAL},
	{"InternalError", CW_INTERNAL_ERROR},
	{"Forbidden", CW_FORBIDDEN},
};

struct batch {
	const struct cloudwatch_query *queries;
	size_t count;
	int64_t from_s, to_s;
	struct cloudwatch_result *results;
};

static void add_dimension(struct json *list, const char *name, const char *value)
{
	struct json *d;

	if (!value)
		return;
	d = json_obj();
	json_put_str(d, "Name", name);
	json_put_str(d, "Value", value);
	json_push(list, d);
}

/* Ids are q0, q1, ...: they begin with a lower-case letter, as the service wants. */
static struct json *query_json(const struct cloudwatch_query *q, size_t index)
{
	struct json *metric = json_obj(), *stat = json_obj(), *out = json_obj();
	struct json *dimensions = json_arr();
	char *id = x_asprintf("q%zu", index);

	add_dimension(dimensions, "FunctionName", q->function);
	add_dimension(dimensions, "Resource", q->resource);
	add_dimension(dimensions, "ExecutedVersion", q->executed_version);
	json_put_str(metric, "Namespace", "AWS/Lambda");
	json_put_str(metric, "MetricName", q->metric);
	json_put(metric, "Dimensions", dimensions);
	json_put(stat, "Metric", metric);
	json_put_int(stat, "Period", q->period_s);
	json_put_str(stat, "Stat", q->stat);
	json_put_str(out, "Id", id);
	json_put(out, "MetricStat", stat);
	json_put_bool(out, "ReturnData", true);
	free(id);
	return out;
}

static void write_body(const struct batch *b, const char *token, struct buf *out)
{
	struct json *queries = json_arr(), *body = json_obj();

	for (size_t i = 0; i < b->count; i++)
		json_push(queries, query_json(&b->queries[i], i));
	json_put(body, "MetricDataQueries", queries);
	json_put_int(body, "StartTime", b->from_s);
	json_put_int(body, "EndTime", b->to_s);
	json_put_str(body, "ScanBy", "TimestampAscending");
	json_put_str(body, "NextToken", token);
	json_write(body, out);
	json_free(body);
}

/* The result that "q<index>" names, or NULL. */
static struct cloudwatch_result *result_of(const struct batch *b, const char *id)
{
	uint64_t index;

	if (!id || *id != 'q' || unit_parse_u64(id + 1, &index) != 0 || index >= b->count)
		return NULL;
	return &b->results[index];
}

/* The services write times as epoch seconds; some emulators as text. */
static int read_time(const struct json *v, struct wall *out)
{
	if (json_is_num(v)) {
		*out = wall_from_s(json_int(v));
		return 0;
	}
	return json_str(v) ? wall_parse_rfc3339(json_str(v), out) : -EINVAL;
}

static void push_point(struct cloudwatch_result *r, struct wall at, double value)
{
	if (r->count == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 16;
		r->points = x_realloc(r->points, r->cap, sizeof(*r->points));
	}
	r->points[r->count++] = (struct cloudwatch_point){at, value};
}

static void set_status(struct cloudwatch_result *r, const struct json *v)
{
	const char *word = json_get_str(v, "StatusCode");
	const char *message = json_str(json_at(v, "Messages.0.Value"));

	r->status = word ? CW_INTERNAL_ERROR : CW_COMPLETE;
	for (size_t i = 0; word && i < ARRAY_LEN(statuses); i++)
		if (!strcmp(word, statuses[i].word))
			r->status = statuses[i].status;
	if (message)
		(void)snprintf(r->message, sizeof(r->message), "%s", message);
}

static const char *take_result(const struct batch *b, const struct json *v)
{
	struct cloudwatch_result *r = result_of(b, json_get_str(v, "Id"));
	const struct json *times = json_get(v, "Timestamps"), *values = json_get(v, "Values");

	if (!r)
		return "a result has an Id that nobody asked for";
	if (json_len(times) != json_len(values))
		return "a result has not as many values as times";
	if (r->count + json_len(values) > CLOUDWATCH_POINTS_MAX)
		return "a result has too many points";
	for (size_t i = 0; i < json_len(values); i++) {
		struct wall at;

		if (read_time(json_elem(times, i), &at) != 0 || !json_is_num(json_elem(values, i)))
			return "a result has a point that is none";
		push_point(r, at, json_real(json_elem(values, i)));
	}
	set_status(r, v);
	return NULL;
}

static int take_page(const struct batch *b, const struct http_response *r, char **next,
		     struct aws_error *err)
{
	char why_json[JSON_WHY_SIZE];
	const char *why = why_json, *token;
	const struct json *results;
	struct json *v = NULL;

	if (json_parse(buf_str(&r->body), r->body.len_bytes, ANSWER_MAX_BYTES, &v, why_json) == 0) {
		results = json_get(v, "MetricDataResults");
		token = json_get_str(v, "NextToken");
		why = json_is(results, JSON_T_ARR) ? NULL : "it has no MetricDataResults";
		for (size_t i = 0; !why && i < json_len(results); i++)
			why = take_result(b, json_elem(results, i));
		if (!why && token && *token)
			*next = x_strdup(token);
	}
	json_free(v);
	return why ? aws_error_set(err, AWS_BAD_ANSWER,
				   "cannot read metrics: the answer is of no use (%s); check that "
				   "the endpoint is CloudWatch's",
				   why)
		   : 0;
}

static int ask_page(struct aws_client *c, const struct batch *b, const char *token, char **next,
		    struct aws_error *err)
{
	struct buf body = BUF_INIT(4u * 1024u * 1024u);
	struct http_response r = HTTP_RESPONSE_INIT;
	int rc;

	write_body(b, token, &body);
	rc = aws_call(c,
		      &(struct aws_request){.service = AWS_CLOUDWATCH,
					    .what = "read metrics",
					    .permission = "cloudwatch:GetMetricData",
					    .method = "POST",
					    .path = "/",
					    .target = "GraniteServiceVersion20100801.GetMetricData",
					    .content_type = "application/x-amz-json-1.0",
					    .body = buf_str(&body),
					    .body_bytes = body.len_bytes},
		      &r, err);
	if (rc == 0)
		rc = take_page(b, &r, next, err);
	buf_release(&body);
	http_response_release(&r);
	return rc;
}

static int ask_batch(struct aws_client *c, const struct batch *b, struct aws_error *err)
{
	char *token = NULL;
	int rc, pages = 0;

	do {
		char *next = NULL;

		rc = ask_page(c, b, token, &next, err);
		free(token);
		token = next;
	} while (rc == 0 && token && ++pages < PAGES_MAX);
	if (rc == 0 && token)
		rc = aws_error_set(err, AWS_BAD_ANSWER, "cannot read metrics: pages without end");
	free(token);
	return rc;
}

static int compare_points(const void *a, const void *b)
{
	const struct cloudwatch_point *p = a, *q = b;

	return (p->at.ns > q->at.ns) - (p->at.ns < q->at.ns);
}

int cloudwatch_get(struct aws_client *c, const struct cloudwatch_query *queries, size_t count,
		   struct wall from, struct wall to, struct cloudwatch_result *results,
		   struct aws_error *err)
{
	int64_t from_s = wall_s(from) / MINUTE_S * MINUTE_S;
	int64_t to_s = (wall_s(to) + MINUTE_S - 1) / MINUTE_S * MINUTE_S;
	int rc = 0;

	for (size_t i = 0; i < count; i++) {
		cloudwatch_result_release(&results[i]);
		results[i].status = CW_INTERNAL_ERROR; /* until the service has answered it */
	}
	for (size_t at = 0; rc == 0 && at < count; at += CLOUDWATCH_BATCH_MAX) {
		struct batch b = {.queries = queries + at,
				  .count = MIN_OF(count - at, (size_t)CLOUDWATCH_BATCH_MAX),
				  .from_s = from_s,
				  .to_s = to_s,
				  .results = results + at};

		rc = ask_batch(c, &b, err);
	}
	for (size_t i = 0; i < count; i++) {
		if (rc)
			cloudwatch_result_release(&results[i]);
		else if (results[i].count > 1)
			qsort(results[i].points, results[i].count, sizeof(results[i].points[0]),
			      compare_points);
	}
	return rc;
}

void cloudwatch_result_release(struct cloudwatch_result *r)
{
	free(r->points);
	*r = (struct cloudwatch_result){0};
}

double cloudwatch_sum(const struct cloudwatch_result *r)
{
	double sum = 0;

	for (size_t i = 0; i < r->count; i++)
		sum += r->points[i].value;
	return sum;
}
