#include "cmd/sink/gateway.h"

#include "common/digest/digest.h"
#include "common/json/json.h"

#define ANSWER_MAX_BYTES (16u * 1024u * 1024u)

struct gateway {
	struct http *http;
	char *url;	     /* without a slash at the end */
	char *authorization; /* secret; NULL = none */
	struct http_response answer;
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

struct gateway *gateway_new(const char *url, const char *token)
{
	struct gateway *g = x_calloc(1, sizeof(*g));
	size_t len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		len--;
	g->url = x_strndup(url, len);
	g->authorization = make_authorization(token);
	g->http = http_new(&(struct http_options){.is_stopped = http_signal_pending});
	return g;
}

void gateway_free(struct gateway *g)
{
	http_response_release(&g->answer);
	http_free(g->http);
	if (g->authorization != NULL)
		digest_wipe(g->authorization, strlen(g->authorization));
	free(g->authorization);
	free(g->url);
	free(g);
}

/* The gateway's own words, one line of them. */
static void explain_status(struct gateway *g, const char *method, char why[HTTP_WHY_SIZE])
{
	const char *body = buf_str(&g->answer.body);

	snprintf(why, HTTP_WHY_SIZE, "%s: status %d%s%.*s", method, g->answer.status,
		 *body != '\0' ? ": " : "", (int)MIN_OF(strcspn(body, "\r\n"), 160u), body);
}

static enum gateway_answer ask(struct gateway *g, const char *method, const char *path,
			       const struct buf *body, char why[HTTP_WHY_SIZE])
{
	struct http_header headers[2] = {{"Content-Type", "text/plain; version=0.0.4"},
					 {"Authorization", g->authorization}};
	char *url = x_asprintf("%s%s", g->url, path);
	struct http_request request = {
		.method = method,
		.url = url,
		.headers = headers,
		.header_count = g->authorization != NULL ? 2 : 1,
		.body = body != NULL ? buf_str(body) : NULL,
		.body_bytes = body != NULL ? body->len_bytes : 0,
		.timeout_ms = GATEWAY_TIMEOUT_MS,
		.body_max_bytes = ANSWER_MAX_BYTES,
	};
	int rc = http_do(g->http, &request, &g->answer);

	free(url);
	if (rc != 0) {
		snprintf(why, HTTP_WHY_SIZE, "%s", g->answer.why);
		return GATEWAY_DOWN;
	}
	if (g->answer.status >= 200 && g->answer.status < 300)
		return GATEWAY_DONE;
	explain_status(g, method, why);
	return g->answer.status == 400 ? GATEWAY_REFUSED : GATEWAY_DOWN;
}

enum gateway_answer gateway_put(struct gateway *g, const char *path, const struct buf *body,
				char why[HTTP_WHY_SIZE])
{
	return ask(g, "PUT", path, body, why);
}

enum gateway_answer gateway_delete(struct gateway *g, const char *path, char why[HTTP_WHY_SIZE])
{
	return ask(g, "DELETE", path, NULL, why);
}

static enum gateway_answer ask_json(struct gateway *g, const char *path, struct json **out,
				    char why[HTTP_WHY_SIZE])
{
	enum gateway_answer answer = ask(g, "GET", path, NULL, why);
	char bad[JSON_WHY_SIZE];

	if (answer != GATEWAY_DONE)
		return GATEWAY_DOWN;
	if (json_parse(buf_str(&g->answer.body), g->answer.body.len_bytes, ANSWER_MAX_BYTES, out,
		       bad) == 0)
		return GATEWAY_DONE;
	snprintf(why, HTTP_WHY_SIZE, "GET %s: %s; is this a Pushgateway?", path, bad);
	return GATEWAY_DOWN;
}

enum gateway_answer gateway_started(struct gateway *g, char out[GATEWAY_START_SIZE],
				    char why[HTTP_WHY_SIZE])
{
	struct json *status = NULL;
	const char *at;

	if (ask_json(g, "/api/v1/status", &status, why) != GATEWAY_DONE)
		return GATEWAY_DOWN;
	at = json_str(json_at(status, "data.start_time"));
	if (at != NULL)
		snprintf(out, GATEWAY_START_SIZE, "%s", at);
	else
		snprintf(why, HTTP_WHY_SIZE,
			 "GET /api/v1/status: no start_time; is this a "
			 "Pushgateway of version 0.10 or newer?");
	json_free(status);
	return at != NULL ? GATEWAY_DONE : GATEWAY_DOWN;
}

enum gateway_answer gateway_each(struct gateway *g, void (*see)(const char *subject, void *ctx),
				 void *ctx, char why[HTTP_WHY_SIZE])
{
	struct json *all = NULL, *groups;

	if (ask_json(g, "/api/v1/metrics", &all, why) != GATEWAY_DONE)
		return GATEWAY_DOWN;
	groups = json_get(all, "data");
	for (size_t i = 0; i < json_len(groups); i++) {
		const struct json *labels = json_get(json_elem(groups, i), "labels");
		const char *job = json_get_str(labels, "job");
		const char *account = json_get_str(labels, "account");
		const char *function = json_get_str(labels, "function");
		char *subject;

		if (job == NULL || strcmp(job, "plimsoll") != 0 || account == NULL ||
		    function == NULL || json_len(labels) != 3)
			continue;
		subject = x_asprintf("%s/%s", account, function);
		see(subject, ctx);
		free(subject);
	}
	json_free(all);
	return GATEWAY_DONE;
}
