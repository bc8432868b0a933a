#include "common/aws/logs.h"

#include <string.h>

#define PAGE_MAX_BYTES HTTP_BODY_MAX_BYTES
#define QUERY_MAX_BYTES (64u * 1024u)
#define REPORT_MAX_BYTES (16u * 1024u)
#define TEXT_BEGIN "REPORT RequestId: "
#define TEXT_PATTERN "\"REPORT RequestId: \""
#define JSON_PATTERN "{ $.type = \"platform.report\" }"
#define ID_CHARS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-"
#define IN_TWO_STREAMS UINTPTR_MAX

void logs_calls_init(struct logs_calls *calls, bool is_json)
{
	*calls = (struct logs_calls){.is_json = is_json};
}

void logs_calls_release(struct logs_calls *calls)
{
	strmap_release(&calls->streams, NULL);
	strmap_release(&calls->by_id, NULL);
}

const char *logs_calls_stream(const struct logs_calls *calls, const char *id)
{
	uintptr_t number = (uintptr_t)strmap_get(&calls->by_id, id);

	if (number == 0 || number == IN_TWO_STREAMS)
		return NULL;
	return calls->streams.items[number - 1].key;
}

struct json *logs_calls_json(const struct logs_calls *calls)
{
	struct json *streams = json_arr(), *by_id = json_obj(), *out = json_obj();

	for (size_t i = 0; i < calls->streams.count; i++)
		json_push(streams, json_new_str(calls->streams.items[i].key));
	for (size_t i = 0; i < calls->by_id.count; i++) {
		uintptr_t number = (uintptr_t)calls->by_id.items[i].value;

		if (number != IN_TWO_STREAMS)
			json_put_int(by_id, calls->by_id.items[i].key, (int64_t)number - 1);
	}
	json_put(out, "streams", streams);
	json_put(out, "calls", by_id);
	return out;
}

static bool copy_id(const char *text, size_t len_bytes, char id[LOGS_ID_MAX_BYTES + 1])
{
	if (len_bytes == 0 || len_bytes > LOGS_ID_MAX_BYTES)
		return false;
	memcpy(id, text, len_bytes);
	id[len_bytes] = '\0';
	return true;
}

/* "REPORT RequestId: ID<tab>Duration: ..." */
static bool text_id(const char *message, char id[LOGS_ID_MAX_BYTES + 1])
{
	const char *at = message + strlen(TEXT_BEGIN);
	size_t len;

	if (strncmp(message, TEXT_BEGIN, strlen(TEXT_BEGIN)) != 0)
		return false;
	len = strspn(at, ID_CHARS);
	return at[len] == '\t' && copy_id(at, len, id);
}

/* {"type": "platform.report", "record": {"requestId": ID, ...}, ...} */
static bool json_id(const char *message, char id[LOGS_ID_MAX_BYTES + 1])
{
	const char *type, *at;
	struct json *v = NULL;
	bool is_report = false;

	if (json_parse(message, strlen(message), REPORT_MAX_BYTES, &v, NULL) != 0)
		return false;
	type = json_get_str(v, "type");
	at = json_str(json_at(v, "record.requestId"));
	if (type && strcmp(type, "platform.report") == 0 && at &&
	    strspn(at, ID_CHARS) == strlen(at))
		is_report = copy_id(at, strlen(at), id);
	json_free(v);
	return is_report;
}

bool logs_report_id(const char *message, bool is_json, char id[LOGS_ID_MAX_BYTES + 1])
{
	return is_json ? json_id(message, id) : text_id(message, id);
}

static uintptr_t number_of(struct logs_calls *calls, const char *stream)
{
	uintptr_t number = (uintptr_t)strmap_get(&calls->streams, stream);

	if (number == 0) {
		number = calls->streams.count + 1;
		strmap_put(&calls->streams, stream, (void *)number);
	}
	return number;
}

static void take_event(struct logs_calls *calls, const struct json *event)
{
	const char *stream = json_get_str(event, "logStreamName");
	const char *message = json_get_str(event, "message");
	char id[LOGS_ID_MAX_BYTES + 1];
	uintptr_t number, before;

	if (!stream || !*stream || strlen(stream) > LOGS_STREAM_MAX_BYTES || !message ||
	    !logs_report_id(message, calls->is_json, id))
		return;
	before = (uintptr_t)strmap_get(&calls->by_id, id);
	if (before == 0 && calls->by_id.count >= LOGS_CALLS_MAX) {
		calls->is_cut = true;
		return;
	}
	number = number_of(calls, stream);
	strmap_put(&calls->by_id, id,
		   (void *)(before == 0 || before == number ? number : IN_TWO_STREAMS));
}

const char *logs_take_page(struct logs_calls *calls, const char *body, size_t body_bytes,
			   char **next_out, char why[JSON_WHY_SIZE])
{
	const struct json *events;
	struct json *v = NULL;
	const char *token, *wrong = NULL;

	*next_out = NULL;
	if (json_parse(body, body_bytes, PAGE_MAX_BYTES, &v, why) != 0)
		return why;
	events = json_get(v, "events");
	if (!json_is(events, JSON_T_ARR))
		wrong = "it has no events";
	for (size_t i = 0; !wrong && i < json_len(events); i++)
		take_event(calls, json_elem(events, i));
	token = json_get_str(v, "nextToken");
	if (!wrong && token && *token)
		*next_out = x_strdup(token);
	json_free(v);
	return wrong;
}

static void write_query(const struct logs_query *q, const char *token, struct buf *out)
{
	struct json *body = json_obj();

	json_put_str(body, "logGroupName", q->group);
	json_put_str(body, "filterPattern", q->is_json ? JSON_PATTERN : TEXT_PATTERN);
	json_put_int(body, "startTime", q->from.ns / NS_PER_MS);
	json_put_int(body, "endTime", q->to.ns / NS_PER_MS + 1);
	json_put_int(body, "limit", LOGS_EVENTS_A_PAGE);
	json_put_str(body, "nextToken", token);
	json_write(body, out);
	json_free(body);
}

static int ask_page(struct aws_client *c, const struct logs_query *q, struct logs_calls *calls,
		    char **token, struct aws_error *err)
{
	struct buf body = BUF_INIT(QUERY_MAX_BYTES);
	struct http_response r = HTTP_RESPONSE_INIT;
	char why[JSON_WHY_SIZE], *next = NULL;
	const char *wrong = NULL;
	int rc;

	write_query(q, *token, &body);
	rc = aws_call(c,
		      &(struct aws_request){.service = AWS_LOGS,
					    .what = "read the logs",
					    .permission = "logs:FilterLogEvents",
					    .method = "POST",
					    .path = "/",
					    .target = "Logs_20140328.FilterLogEvents",
					    .content_type = "application/x-amz-json-1.1",
					    .body = buf_str(&body),
					    .body_bytes = body.len_bytes},
		      &r, err);
	if (rc == 0)
		wrong = logs_take_page(calls, buf_str(&r.body), r.body.len_bytes, &next, why);
	if (wrong)
		rc = aws_error_set(err, AWS_BAD_ANSWER,
				   "cannot read the logs: the answer is of no use (%s)", wrong);
	free(*token);
	*token = next;
	buf_release(&body);
	http_response_release(&r);
	return rc;
}

int logs_read_reports(struct aws_client *c, const struct logs_query *q, struct logs_calls *calls,
		      struct aws_error *err)
{
	char *token = NULL;
	int rc, pages = 0;

	do
		rc = ask_page(c, q, calls, &token, err);
	while (rc == 0 && token && !calls->is_cut && ++pages < LOGS_PAGES_MAX);
	calls->is_cut = calls->is_cut || token;
	free(token);
	return rc;
}
