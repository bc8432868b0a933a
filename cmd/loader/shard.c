/*
 * shard.c - shard.planned into struct shard; see shard.h.
 */
#include "cmd/loader/shard.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/unit.h"
#include "common/http/http.h"

PRINTF_LIKE(2, 3) static int refuse(char why[SHARD_WHY_SIZE], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, SHARD_WHY_SIZE, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static char *dup_or_null(const char *s)
{
	return s ? x_strdup(s) : NULL;
}

static char *dup_member(const struct json *o, const char *key)
{
	return dup_or_null(json_get_str(o, key));
}

/* Bytes that would end a request line or a header early. */
static bool is_clean(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	return true;
}

static bool is_header_name(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("!#$%&'*+-.^_`|~", *s))
			return false;
	return true;
}

/* A second one of these would move the end of the request, or its receiver. */
static bool is_ours(const char *header)
{
	static const char *const names[] = {"Host",
					    "Content-Length",
					    "Transfer-Encoding",
					    "Connection",
					    "Expect",
					    "Upgrade",
					    "TE",
					    "Trailer",
					    "Plimsoll-Run",
					    "Plimsoll-Attempt"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcasecmp(names[i], header) == 0)
			return true;
	return false;
}

/* A name or an ARN; a comma or a star would widen the session policy made from it. */
static bool is_function(const char *s)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789_.:-";

	return *s && !s[strspn(s, good)] && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

/* ---- targets ---- */

static int parse_url(struct shard_target *t, char why[SHARD_WHY_SIZE])
{
	struct http_url u;

	if (!t->url || !is_clean(t->url) || http_url_split(t->url, &u) != 0)
		return refuse(why, "the target url is not an absolute http(s) URL");
	t->is_tls = u.is_tls;
	t->port = u.port;
	t->host = x_strndup(u.host, u.host_bytes);
	t->authority = x_strndup(u.authority, u.authority_bytes);
	t->path = u.path_bytes ? x_strndup(u.path, u.path_bytes) : x_strdup("/");
	t->query = u.query ? x_strndup(u.query, u.query_bytes) : NULL;
	return 0;
}

static int parse_headers(struct shard_target *t, const struct json *headers,
			 char why[SHARD_WHY_SIZE])
{
	static const char prefix[] = "credential:";
	struct json *value;
	const char *name;

	for (void *it = NULL; json_next(headers, &it, &name, &value);) {
		const char *text = json_str(value);

		if (t->header_count == SHARD_HEADERS_MAX)
			return refuse(why, "more than %d headers", SHARD_HEADERS_MAX);
		if (!is_header_name(name) || !text)
			return refuse(why,
				      "a header that is none, or not the name of a credential");
		if (is_ours(name))
			return refuse(why, "header %s is the loader's own; leave it out", name);
		if (strncmp(text, prefix, sizeof(prefix) - 1) == 0)
			text += sizeof(prefix) - 1;
		if (!name_is_valid(text))
			return refuse(why, "header %s: \"%s\" is not the name of a credential",
				      name, text);
		t->headers[t->header_count++] =
			(struct shard_header){x_strdup(name), x_strdup(text)};
	}
	return 0;
}

/*
 * A url with placeholders in its path or query: they may hold blanks, and stand for anything, so
 * that only what comes before them can be split. render.h looks at the rest.
 */
static int parse_url_template(struct shard_target *t, char why[SHARD_WHY_SIZE])
{
	const char *host = t->url ? strstr(t->url, "://") : NULL;
	const char *rest = host ? host + 3 + strcspn(host + 3, "/?{") : NULL;
	char *url = t->url;
	int rc;

	if (!rest || (*rest != '/' && *rest != '?'))
		return refuse(why, "the target url has placeholders outside of path and query");
	t->path_template = x_asprintf("%s%s", *rest == '?' ? "/" : "", rest);
	t->url = x_strndup(url, (size_t)(rest - url));
	rc = parse_url(t, why);
	free(t->url);
	t->url = url;
	return rc;
}

static int parse_protocol(struct shard_target *t, const char *version, char why[SHARD_WHY_SIZE])
{
	static const struct {
		const char *version;
		enum engine_protocol protocol;
	} known[] = {{"1.1", ENGINE_HTTP1}, {"2", ENGINE_HTTP2}, {"auto", ENGINE_HTTP_AUTO}};

	for (size_t i = 0; version && i < ARRAY_LEN(known); i++) {
		if (strcmp(known[i].version, version) != 0)
			continue;
		t->protocol = known[i].protocol;
		return 0;
	}
	return version ? refuse(why, "http_version is not 1.1, 2 or auto") : 0;
}

static bool is_place(const char *s)
{
	return !s || *s == '/' || strncmp(s, "header:", 7) == 0;
}

static int parse_target(struct shard_target *t, const struct json *j, char why[SHARD_WHY_SIZE])
{
	char short_why[EXPECT_WHY_SIZE];

	if (variant_parse(json_get_str(j, "variant"), &t->variant) != 0)
		return refuse(why, "a target without variant old or new");
	t->method = dup_member(j, "method");
	t->url = dup_member(j, "url");
	t->http_method = dup_member(j, "http_method");
	t->region = dup_member(j, "region");
	t->qualifier = dup_member(j, "qualifier");
	t->function = dup_member(j, "function");
	t->instance = dup_member(j, "instance");
	t->cold = dup_member(j, "cold");
	t->ca = dup_member(j, "ca");
	t->unix_socket = dup_member(j, "unix_socket");
	if (!t->method)
		return refuse(why, "a target without method");
	if (t->http_method && !is_header_name(t->http_method))
		return refuse(why, "http_method is not a word such as GET");
	if (t->region && !name_is_valid(t->region)) /* it stands in the signature's header */
		return refuse(why, "the region is not a name");
	if (t->function && !is_function(t->function))
		return refuse(why, "the function is neither a name nor an ARN");
	if (!is_place(t->instance) || !is_place(t->cold))
		return refuse(why, "instance and cold must be a JSON pointer or header:NAME");
	if (expect_parse(&t->expect, json_get(j, "expect"), short_why) != 0)
		return refuse(why, "%s", short_why);
	if (json_get_bool(j, "template", false) ? parse_url_template(t, why) : parse_url(t, why))
		return -EINVAL;
	if (t->path_template && t->function)
		return refuse(why, "placeholders in the url of a lambda-invoke target");
	if (parse_protocol(t, json_get_str(j, "http_version"), why) != 0)
		return -EINVAL;
	return parse_headers(t, json_get(j, "headers"), why);
}

static int parse_targets(struct shard *sh, const struct json *targets, char why[SHARD_WHY_SIZE])
{
	struct workload *w = &sh->workload;
	size_t count = json_len(targets);

	if (count < 1 || count > VARIANT_COUNT)
		return refuse(why, "%zu targets; expected one or two", count);
	for (size_t i = 0; i < count; i++) {
		int rc = parse_target(&sh->targets[i], json_elem(targets, i), why);

		if (rc != 0)
			return rc;
		w->variants[w->variant_count++] = sh->targets[i].variant;
	}
	if (count == 2 && w->variants[0] == w->variants[1])
		return refuse(why, "both targets are the same variant");
	return 0;
}

/* ---- workload, payloads, limits ---- */

static int parse_filling(struct shard_payload *p, const struct json *j, char why[SHARD_WHY_SIZE])
{
	static const char *const words[] = {
#define X(symbol, name) [symbol] = name,
		FILLINGS(X)
#undef X
	};
	const char *word = json_get_str(j, "template");

	for (size_t i = 0; word && i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], word) == 0)
			p->filling = (enum filling)i;
	if (word && p->filling == PAYLOAD_AS_IT_IS)
		return refuse(why, "payloads[].template \"%.20s\"; expected json or text", word);
	return 0;
}

static int parse_rows(struct shard_payload *p, const struct json *rows, char why[SHARD_WHY_SIZE])
{
	const char *format = json_get_str(rows, "format"), *order = json_get_str(rows, "order");

	if (!rows)
		return 0;
	p->rows_file = dup_member(rows, "file");
	p->rows_sha256_hex = dup_member(rows, "sha256");
	if (!p->rows_file || !p->rows_sha256_hex || !format)
		return refuse(why, "rows without file, sha256 or format");
	p->is_ndjson = strcmp(format, "ndjson") == 0;
	p->is_random = order && strcmp(order, "random") == 0;
	return 0;
}

static int parse_payload(struct shard_payload *p, const struct json *j, char why[SHARD_WHY_SIZE])
{
	const char *text = json_get_str(j, "base64");
	struct buf bytes = BUF_INIT(EVENT_LINE_MAX_BYTES);

	if (!text)
		return refuse(why,
			      "a payload without base64; payloads by sha256 are not known here");
	if (digest_base64_decode(text, strlen(text), &bytes) != 0) {
		buf_release(&bytes);
		return refuse(why, "a payload that is not base64");
	}
	p->len_bytes = bytes.len_bytes;
	p->bytes = buf_steal(&bytes);
	digest_sha256_hex(p->bytes, p->len_bytes, p->sha256_hex);
	if (parse_filling(p, j, why) != 0)
		return -EINVAL;
	return parse_rows(p, json_get(j, "rows"), why);
}

static int parse_payloads(struct shard *sh, const struct json *list, char why[SHARD_WHY_SIZE])
{
	struct workload *w = &sh->workload;
	size_t count = json_len(list);

	if (count > PAYLOADS_MAX)
		return refuse(why, "%zu payloads; at most %d", count, PAYLOADS_MAX);
	for (size_t i = 0; i < count; i++) {
		const struct json *j = json_elem(list, i);
		int rc = parse_payload(&sh->payloads[i], j, why);

		if (rc != 0)
			return rc;
		sh->payload_count++;
		w->weights[i] = json_get_real(j, "weight", 1);
		if (!(w->weights[i] > 0 && w->weights[i] < 1e9))
			return refuse(why, "a payload weight that is not above 0");
	}
	if (count == 0) {
		sh->payloads[0].bytes = x_strdup("");
		digest_sha256_hex("", 0, sh->payloads[0].sha256_hex);
		sh->payload_count = 1;
	}
	w->payload_count = count;
	return 0;
}

static int parse_limits(struct shard *sh, const struct json *j, char why[SHARD_WHY_SIZE])
{
	int64_t in_flight = json_get_int(j, "in_flight", IN_FLIGHT_DEFAULT);
	int64_t requests = json_get_int(j, "requests", 0);
	int64_t body_bytes = json_get_int(j, "body_bytes", BODY_BYTES_DEFAULT);
	int64_t connections = json_get_int(j, "connections", 0);
	int64_t streams = json_get_int(j, "streams", 0);

	sh->timeout_ms = json_get_int(j, "timeout_ms", TIMEOUT_MS_DEFAULT);
	sh->abort_error_ratio = json_get_real(j, "abort_error_ratio", 0);
	if (in_flight < 1 || in_flight > 65536)
		return refuse(why, "limits.in_flight %lld; expected 1 to 65536",
			      (long long)in_flight);
	if (connections < 0 || connections > 65536 || streams < 0 || streams > 65536)
		return refuse(why, "limits.connections and limits.streams; expected 0 to 65536");
	if (requests < 0 || body_bytes < 0 || body_bytes > BODY_BYTES_MAX)
		return refuse(why, "limits.requests or limits.body_bytes is out of range");
	if (sh->timeout_ms < 1 || sh->timeout_ms > TIMEOUT_MS_MAX + 60000)
		return refuse(why, "limits.timeout_ms %lld; expected 1 to 960000",
			      (long long)sh->timeout_ms);
	if (!(sh->abort_error_ratio >= 0 && sh->abort_error_ratio <= 1))
		return refuse(why, "limits.abort_error_ratio; expected 0 to 1");
	sh->in_flight = (uint32_t)in_flight;
	sh->connections = (uint32_t)connections;
	sh->streams = (uint32_t)streams;
	sh->body_max_bytes = (size_t)body_bytes;
	sh->workload.requests_max = (uint64_t)requests;
	return 0;
}

struct shard *shard_new(const struct event *ev)
{
	struct shard *sh = x_calloc(1, sizeof(*sh));
	const struct json *where = json_get(ev->data, "shard");

	sh->id = x_strdup(ev->id);
	sh->subject = x_strdup(ev->subject ? ev->subject : "");
	sh->run = dup_member(ev->data, "run");
	sh->account = dup_member(ev->data, "account");
	sh->index = json_get_int(where, "index", 0);
	sh->of = json_get_int(where, "of", 1);
	sh->attempt = json_get_int(ev->data, "attempt", 0);
	return sh;
}

int shard_parse(struct shard *sh, const struct json *data, char why[SHARD_WHY_SIZE])
{
	const char *deadline = json_get_str(data, "deadline");
	const char *start_at = json_get_str(data, "start_at");
	struct subject subject;
	int rc;

	if (!sh->run || !name_is_valid(sh->run) || subject_parse(sh->subject, &subject) != 0)
		return refuse(why,
			      "the shard names no run, or its subject is not account/function");
	if (!sh->account || strcmp(subject.account, sh->account) != 0)
		return refuse(why, "the shard's account is not the one of its subject");
	if (deadline && wall_parse_rfc3339(deadline, &sh->deadline) != 0)
		return refuse(why, "deadline is not a time");
	sh->has_deadline = deadline != NULL;
	if (start_at && wall_parse_rfc3339(start_at, &sh->start_at) != 0)
		return refuse(why, "start_at is not a time");
	sh->has_start_at = start_at != NULL;
	if (json_get(data, "plan"))
		sh->plan = json_copy(json_get(data, "plan"));
	rc = parse_targets(sh, json_get(data, "targets"), why);
	if (rc == 0)
		rc = shard_parse_workload(sh, json_get(data, "workload"), why);
	if (rc == 0)
		rc = parse_payloads(sh, json_get(data, "payloads"), why);
	if (rc == 0)
		rc = parse_limits(sh, json_get(data, "limits"), why);
	return rc;
}

static void release_target(struct shard_target *t)
{
	char *all[] = {t->method, t->url,    t->host,	     t->authority,   t->path,
		       t->query,  t->region, t->qualifier,   t->function,    t->instance,
		       t->cold,	  t->ca,     t->http_method, t->unix_socket, t->path_template};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		free(all[i]);
	expect_release(&t->expect);
	for (size_t i = 0; i < t->header_count; i++) {
		free(t->headers[i].name);
		free(t->headers[i].credential);
	}
}

void shard_free(struct shard *sh)
{
	if (!sh)
		return;
	for (size_t i = 0; i < VARIANT_COUNT; i++)
		release_target(&sh->targets[i]);
	for (size_t i = 0; i < PAYLOADS_MAX; i++) {
		free(sh->payloads[i].bytes);
		free(sh->payloads[i].rows_file);
		free(sh->payloads[i].rows_sha256_hex);
	}
	trace_release(&sh->replay.trace);
	free(sh->replay.file);
	free(sh->replay.sha256_hex);
	json_free(sh->plan);
	free(sh->id);
	free(sh->subject);
	free(sh->run);
	free(sh->account);
	free(sh);
}

const struct shard_target *shard_target(const struct shard *sh, enum variant v)
{
	for (size_t i = 0; i < sh->workload.variant_count; i++)
		if (sh->targets[i].variant == v)
			return &sh->targets[i];
	return NULL;
}
