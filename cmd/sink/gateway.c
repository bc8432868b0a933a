#include "cmd/sink/gateway.h"

#include "common/base/crash.h"
#include "common/digest/digest.h"

#define ANSWER_MAX_BYTES (64u * 1024u)
#define PAGE_MAX_BYTES (512u * 1024u * 1024u) /* every series of everybody */
#define GROUP_SERIES "push_time_seconds{"     /* one a group, made by the gateway */

struct gateway {
	struct http *http;
	struct loop *loop;
	int64_t timeout_ms;
	char *url;	     /* without a slash at the end */
	char *authorization; /* secret; NULL = none */
	struct http_response answer;

	/* Of the call that runs. */
	const char *method;
	char *call_url;
	/* What the answer is good for; may be NULL. GATEWAY_DOWN with why: for nothing. */
	enum gateway_answer (*read)(struct gateway *g, char why[HTTP_WHY_SIZE]);
	void (*see)(const struct json *labels, void *ctx);
	gateway_done_fn *done;
	void *ctx;
	char start[GATEWAY_START_SIZE];
};

static char *make_authorization(const char *token)
{
	struct buf text = BUF_INIT(4096);

	if (token == NULL)
		return NULL;
	if (strchr(token, ':') != NULL) {
		buf_adds(&text, "Basic ");
		digest_base64(token, strlen(token), &text);
	} else {
		buf_addf(&text, "Bearer %s", token);
	}
	return buf_steal(&text);
}

struct gateway *gateway_new(struct loop *l, const char *url, const char *token, int64_t timeout_ms)
{
	struct gateway *g = x_calloc(1, sizeof(*g));
	size_t len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		len--;
	g->url = x_strndup(url, len);
	g->authorization = make_authorization(token);
	g->loop = l;
	g->timeout_ms = timeout_ms > 0 ? timeout_ms : GATEWAY_TIMEOUT_MS;
	g->http = http_new(&(struct http_options){0});
	return g;
}

void gateway_free(struct gateway *g)
{
	http_free(g->http);
	http_response_release(&g->answer);
	free(g->call_url);
	if (g->authorization != NULL)
		digest_wipe(g->authorization, strlen(g->authorization));
	free(g->authorization);
	free(g->url);
	free(g);
}

bool gateway_is_busy(const struct gateway *g)
{
	return http_is_busy(g->http);
}

/* The gateway's own words, one line of them. */
static void explain_status(const struct gateway *g, char why[HTTP_WHY_SIZE])
{
	const char *body = buf_str(&g->answer.body);

	snprintf(why, HTTP_WHY_SIZE, "%s: status %d%s%.*s", g->method, g->answer.status,
		 *body != '\0' ? ": " : "", (int)MIN_OF(strcspn(body, "\r\n"), 160u), body);
}

static enum gateway_answer judge(struct gateway *g, int rc, char why[HTTP_WHY_SIZE])
{
	if (rc != 0) {
		snprintf(why, HTTP_WHY_SIZE, "%s", g->answer.why);
		return GATEWAY_DOWN;
	}
	if (g->answer.status >= 200 && g->answer.status < 300)
		return g->read ? g->read(g, why) : GATEWAY_DONE;
	explain_status(g, why);
	return g->answer.status == 400 && !g->read ? GATEWAY_REFUSED : GATEWAY_DOWN;
}

static void answered(int rc, void *ctx)
{
	struct gateway *g = ctx;
	char why[HTTP_WHY_SIZE] = "";
	enum gateway_answer answer = judge(g, rc, why);

	if (!g->read)
		CRASH_POINT("gateway.post-push");
	g->done(answer, why, g->ctx);
}

static void ask(struct gateway *g, const char *method, const char *path, const struct buf *body,
		gateway_done_fn *done, void *ctx)
{
	struct http_header headers[2] = {{"Content-Type", "text/plain; version=0.0.4"},
					 {"Authorization", g->authorization}};
	struct http_request request = {
		.method = method,
		.headers = headers,
		.header_count = g->authorization != NULL ? 2 : 1,
		.body = body != NULL ? buf_str(body) : NULL,
		.body_bytes = body != NULL ? body->len_bytes : 0,
		.timeout_ms = g->timeout_ms,
		.body_max_bytes = g->see ? PAGE_MAX_BYTES : ANSWER_MAX_BYTES,
	};

	free(g->call_url);
	g->call_url = x_asprintf("%s%s", g->url, path);
	request.url = g->call_url;
	g->method = method;
	g->done = done;
	g->ctx = ctx;
	http_start(g->http, g->loop, &request, &g->answer, answered, g);
}

void gateway_put(struct gateway *g, const char *path, const struct buf *body, gateway_done_fn *done,
		 void *ctx)
{
	g->read = NULL;
	CRASH_POINT("gateway.pre-put");
	ask(g, "PUT", path, body, done, ctx);
}

void gateway_delete(struct gateway *g, const char *path, gateway_done_fn *done, void *ctx)
{
	g->read = NULL;
	CRASH_POINT("gateway.pre-delete");
	ask(g, "DELETE", path, NULL, done, ctx);
}

static enum gateway_answer parse(const struct gateway *g, struct json **out,
				 char why[HTTP_WHY_SIZE])
{
	char bad[JSON_WHY_SIZE];

	if (json_parse(buf_str(&g->answer.body), g->answer.body.len_bytes, ANSWER_MAX_BYTES, out,
		       bad) == 0)
		return GATEWAY_DONE;
	snprintf(why, HTTP_WHY_SIZE, "%s: %s; is this a Pushgateway?", g->method, bad);
	return GATEWAY_DOWN;
}

static enum gateway_answer read_status(struct gateway *g, char why[HTTP_WHY_SIZE])
{
	struct json *status = NULL;
	const char *at;

	if (parse(g, &status, why) != GATEWAY_DONE)
		return GATEWAY_DOWN;
	at = json_str(json_at(status, "data.start_time"));
	if (at != NULL)
		snprintf(g->start, GATEWAY_START_SIZE, "%s", at);
	else
		snprintf(why, HTTP_WHY_SIZE,
			 "GET /api/v1/status: no start_time; is this a "
			 "Pushgateway of version 0.10 or newer?");
	json_free(status);
	return at != NULL ? GATEWAY_DONE : GATEWAY_DOWN;
}

void gateway_started(struct gateway *g, gateway_done_fn *done, void *ctx)
{
	g->read = read_status;
	g->see = NULL;
	ask(g, "GET", "/api/v1/status", NULL, done, ctx);
}

const char *gateway_start_of(const struct gateway *g)
{
	return g->start;
}

/* {a="b",c="d"} as the gateway writes it: its \n, \" and \\ are undone. */
static struct json *read_labels(const char *at)
{
	struct json *labels = json_obj();
	struct buf value = BUF_INIT(4096);

	while (*at && *at != '}' && *at != '\n') {
		size_t name_bytes = strcspn(at, "=}\n");
		char *name = x_strndup(at, name_bytes);

		at += name_bytes;
		at += strspn(at, "=");
		at += *at == '"';
		buf_clear(&value);
		for (; *at && *at != '"' && *at != '\n'; at++) {
			bool is_escaped = *at == '\\' && at[1];

			at += is_escaped;
			buf_addc(&value, is_escaped && *at == 'n' ? '\n' : *at);
		}
		at += *at == '"';
		at += *at == ',';
		if (value.len_bytes) /* instance="" is no label of the group */
			json_put_str(labels, name, buf_str(&value));
		free(name);
	}
	buf_release(&value);
	return labels;
}

/* Not /api/v1/metrics: with thousands of groups it is too large to be read as one document. */
static enum gateway_answer read_groups(struct gateway *g, char why[HTTP_WHY_SIZE])
{
	const char *line = buf_str(&g->answer.body);

	(void)why;
	for (; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		struct json *labels;

		if (strncmp(line, GROUP_SERIES, strlen(GROUP_SERIES)) != 0)
			continue;
		labels = read_labels(line + strlen(GROUP_SERIES));
		if (json_get_str(labels, "job") && !strcmp(json_get_str(labels, "job"), "plimsoll"))
			g->see(labels, g->ctx);
		json_free(labels);
	}
	buf_release(&g->answer.body);
	return GATEWAY_DONE;
}

void gateway_each(struct gateway *g, void (*see)(const struct json *labels, void *ctx),
		  gateway_done_fn *done, void *ctx)
{
	g->read = read_groups;
	g->see = see;
	ask(g, "GET", "/metrics", NULL, done, ctx);
}
