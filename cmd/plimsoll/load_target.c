/* load_target.c - what is called; see load_target.h. */
#include "cmd/plimsoll/load_target.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/aws/aws.h"
#include "common/base/fsio.h"
#include "common/digest/digest.h"
#include "common/event/event.h"
#include "common/http/http.h"
#include "common/template/template.h"

#define HEADER_FILE_MAX_BYTES (64u * 1024u)
#define AUTHORITY_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:[]"
#define SOCKET_PATH_MAX_BYTES 107
#define PAYLOAD_MAX_BYTES (40u * 1024u) /* as base64 in an event of 64 KiB */

static char *dup_or_null(const char *s)
{
	return s ? x_strdup(s) : NULL;
}

/* ---- headers ---- */

static bool is_name(const char *at, size_t len_bytes)
{
	for (size_t i = 0; i < len_bytes; i++)
		if (!isalnum((unsigned char)at[i]) && !strchr("!#$%&'*+-.^_`|~", at[i]))
			return false;
	return len_bytes > 0;
}

static bool is_printable(const char *s)
{
	for (; *s; s++)
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
			return false;
	return true;
}

/* The value is not repeated in messages: it may be a secret. */
static int add_header(struct load_target *t, const char *line, struct buf *why)
{
	const char *colon = strchr(line, ':'), *value = colon ? colon + 1 : NULL;
	size_t name_bytes = colon ? (size_t)(colon - line) : 0;

	if (!colon || !is_name(line, name_bytes))
		return buf_refuse(why,
				  "--header: expected \"Name: value\", or @FILE with such lines");
	value += strspn(value, " \t");
	if (!is_printable(value))
		return buf_refuse(why, "--header %.*s: the value holds a control character",
				  (int)name_bytes, line);
	if (t->header_count == LOAD_HEADERS_MAX)
		return buf_refuse(why, "--header: expected at most %d of them", LOAD_HEADERS_MAX);
	for (size_t i = 0; i < t->header_count; i++)
		if (strlen(t->headers[i].name) == name_bytes &&
		    !strncasecmp(t->headers[i].name, line, name_bytes))
			return buf_refuse(why, "--header %.*s: given twice", (int)name_bytes, line);
	t->headers[t->header_count++] =
		(struct load_header){x_strndup(line, name_bytes), x_strdup(value)};
	return 0;
}

static int add_header_file(struct load_target *t, const char *path, struct buf *why)
{
	struct buf text = BUF_INIT(HEADER_FILE_MAX_BYTES);
	int rc = fs_read(path, &text);

	if (rc)
		rc = buf_refuse(why, "--header @%s: cannot read it: %s", path, strerror(-rc));
	for (char *at = text.data, *end; !rc && at && *at; at = end) {
		end = at + strcspn(at, "\r\n");
		if (*end)
			*end++ = '\0';
		if (*at && *at != '#')
			rc = add_header(t, at, why);
	}
	if (text.data)
		digest_wipe(text.data, text.cap_bytes);
	buf_release(&text);
	return rc;
}

static int read_headers(const struct load_call *call, struct load_target *t, struct buf *why)
{
	int rc = 0;

	for (size_t i = 0; i < call->headers.count && !rc; i++) {
		const char *text = call->headers.items[i];

		rc = *text == '@' ? add_header_file(t, text + 1, why) : add_header(t, text, why);
	}
	return rc;
}

/* ---- what is sent and what is expected ---- */

static int add_payload(struct load_target *t, struct buf *bytes, struct buf *why)
{
	size_t len_bytes = bytes->len_bytes, sum = len_bytes;

	for (size_t i = 0; i < t->payload_count; i++)
		sum += t->payloads[i].len_bytes;
	if (t->payload_count == LOAD_PAYLOADS_MAX)
		return buf_refuse(why, "--data: expected at most %d of them", LOAD_PAYLOADS_MAX);
	if (sum > PAYLOAD_MAX_BYTES || buf_is_over(bytes))
		return buf_refuse(why, "the data are longer than %u bytes, the most that is sent",
				  PAYLOAD_MAX_BYTES);
	t->payloads[t->payload_count++] = (struct load_payload){
		.bytes = buf_steal(bytes), .len_bytes = len_bytes, .weight = 1};
	return 0;
}

void load_target_add_payload(struct load_target *t, char *text_take)
{
	if (text_take)
		t->payloads[t->payload_count++] = (struct load_payload){
			.bytes = text_take, .len_bytes = strlen(text_take), .weight = 1};
}

static int read_payload(struct load_target *t, const char *text, const char *path, struct buf *why)
{
	struct buf bytes = BUF_INIT(PAYLOAD_MAX_BYTES);
	int rc = path ? fs_read(path, &bytes) : 0;

	if (!path)
		buf_adds(&bytes, text);
	if (rc && rc != -EFBIG)
		rc = buf_refuse(why, "cannot read %s: %s", path, strerror(-rc));
	else
		rc = add_payload(t, &bytes, why);
	buf_release(&bytes);
	return rc;
}

static int read_payloads(const struct load_call *call, struct load_target *t, struct buf *why)
{
	int rc = 0;

	for (size_t i = 0; i < call->data.count && !rc; i++) {
		const char *text = call->data.items[i];

		rc = read_payload(t, text, *text == '@' ? text + 1 : NULL, why);
	}
	for (size_t i = 0; i < call->data_files.count && !rc; i++)
		rc = read_payload(t, NULL, call->data_files.items[i], why);
	return rc;
}

static int read_call(const struct load_call *call, struct load_target *t, struct buf *why)
{
	int rc;

	rc = load_expect(&call->expect, &t->expect, why);
	if (rc)
		return rc;
	rc = read_payloads(call, t, why);
	return rc ? rc : read_headers(call, t, why);
}

static int set_method(const struct load_call *call, struct load_target *t, struct buf *why)
{
	if (!call->method)
		return 0;
	if (!is_name(call->method, strlen(call->method)) || strlen(call->method) > 32)
		return buf_refuse(why, "--method %s: expected a word such as GET, POST or PUT",
				  call->method);
	t->http_method = x_strdup(call->method);
	return 0;
}

/* ---- a URL ---- */

static int set_version(const struct load_call *call, struct load_target *t, struct buf *why)
{
	static const char *const known[] = {"1.1", "2", "auto"};

	for (size_t i = 0; call->http_version && i < ARRAY_LEN(known); i++)
		if (!strcmp(known[i], call->http_version))
			t->http_version = x_strdup(known[i]);
	if (call->http_version && !t->http_version)
		return buf_refuse(why, "--http %s: expected 1.1, 2 or auto", call->http_version);
	return 0;
}

/* Loaders have another folder than the person may think: they get whole paths. */
static int take_path(const char *option, const char *path, char **out, struct buf *why)
{
	if (!path)
		return 0;
	*out = realpath(path, NULL);
	return *out ? 0 : buf_refuse(why, "%s %s: %s", option, path, strerror(errno));
}

static int take_files(const struct load_call *call, struct load_target *t, struct buf *why)
{
	if (!call->cert_file != !call->key_file)
		return buf_refuse(why, "--cert and --key: give both");
	if (take_path("--cacert", call->ca_file, &t->ca_file, why) ||
	    take_path("--cert", call->cert_file, &t->cert_file, why) ||
	    take_path("--key", call->key_file, &t->key_file, why) ||
	    take_path("--unix-socket", call->unix_socket, &t->unix_socket, why))
		return -EINVAL;
	if (t->unix_socket && strlen(t->unix_socket) > SOCKET_PATH_MAX_BYTES)
		return buf_refuse(why, "--unix-socket %s: a path of at most %d bytes",
				  t->unix_socket, SOCKET_PATH_MAX_BYTES);
	return 0;
}

/* http_url_split knows no userinfo: the person should hear why. */
static bool has_userinfo(const char *url)
{
	const char *after = strstr(url, "://");
	const char *at;

	after = after ? after + 3 : url;
	at = memchr(after, '@', strcspn(after, "/?#"));
	return at != NULL;
}

/* Placeholders stand behind it. */
static size_t origin_bytes(const char *url)
{
	const char *host = strstr(url, "://");

	host = host ? host + 3 : url;
	return (size_t)(host - url) + strcspn(host, "/?#{");
}

int load_target_url(const struct load_call *call, const char *url, struct load_target *out,
		    struct buf *why)
{
	struct http_url u;
	char *origin;
	int rc;

	*out = (struct load_target){.kind = "http", .account = x_strdup("load")};
	if (has_userinfo(url))
		return buf_refuse(why,
				  "a URL with a name and a password would be seen by everyone on "
				  "this host; put Authorization: into a file and give --header "
				  "@FILE");
	origin = call->has_templates ? x_strndup(url, origin_bytes(url)) : x_strdup(url);
	rc = http_url_split(origin, &u);
	if (!rc)
		out->authority = x_strndup(u.authority, u.authority_bytes);
	free(origin);
	if (rc)
		return buf_refuse(why, "%s: expected http://HOST/ or https://HOST/, without spaces",
				  url);
	if (call->qualifier)
		return buf_refuse(why, "--qualifier is for functions");
	out->url = x_strdup(url);
	if (out->authority[strspn(out->authority, AUTHORITY_BYTES)])
		return buf_refuse(why, "%s: expected a host of letters, digits, . and -", url);
	rc = set_method(call, out, why);
	if (!rc)
		rc = set_version(call, out, why);
	if (!rc)
		rc = take_files(call, out, why);
	if (!rc)
		rc = read_call(call, out, why);
	return rc ? rc : load_target_fill(call, out, why);
}

/* ---- a function ---- */

static char *invoke_url(const struct config_account *a, const char *function, const char *qualifier)
{
	char *endpoint = aws_endpoint(AWS_LAMBDA, a->endpoint, a->profile, a->region);
	struct buf url = BUF_INIT(4096);

	buf_addf(&url, "%s/2015-03-31/functions/", endpoint ? endpoint : "");
	http_encode(function, strlen(function), "", &url);
	buf_adds(&url, "/invocations");
	if (qualifier) {
		buf_adds(&url, "?Qualifier=");
		http_encode(qualifier, strlen(qualifier), "", &url);
	}
	free(endpoint);
	return buf_steal(&url);
}

static void take_rows(const struct config_rows *from, struct load_rows *to)
{
	to->file = dup_or_null(from->file);
	memcpy(to->sha256_hex, from->sha256_hex, sizeof(to->sha256_hex));
	to->format = from->is_ndjson ? "ndjson" : "csv";
	to->order = from->order;
}

static void take_filling(const struct config_payload *from, struct load_payload *to)
{
	to->weight = from->weight;
	to->filling = from->filling;
	take_rows(&from->rows, &to->rows);
}

static int take_payloads(const struct config_function *rule, struct load_target *t, struct buf *why)
{
	int rc = 0;

	for (size_t i = 0; i < rule->payload_count && !rc; i++) {
		struct buf bytes = BUF_INIT(PAYLOAD_MAX_BYTES);

		buf_add(&bytes, rule->payloads[i].bytes, rule->payloads[i].len_bytes);
		rc = add_payload(t, &bytes, why);
		if (!rc)
			take_filling(&rule->payloads[i], &t->payloads[t->payload_count - 1]);
		buf_release(&bytes);
	}
	/* Values for the url alone. */
	if (!rc && !rule->payload_count && rule->rows.file) {
		load_target_add_payload(t, x_strdup(""));
		take_rows(&rule->rows, &t->payloads[0].rows);
	}
	return rc;
}

static void take_rule(const struct config_function *rule, struct load_target *t)
{
	struct json *value;
	const char *check;

	for (void *it = NULL; json_next(rule->expect, &it, &check, &value);)
		if (!json_get(t->expect, check))
			json_put(t->expect, check, json_copy(value));
	t->instance = dup_or_null(rule->instance);
	t->cold = dup_or_null(rule->cold);
}

static int set_lambda(const struct load_call *call, const struct config_account *a,
		      const struct config_function *rule, const char *name, struct load_target *t,
		      struct buf *why)
{
	if (call->method || call->headers.count)
		return buf_refuse(why, "--method and --header are for URLs; a Lambda function is "
				       "invoked with --data");
	t->kind = "lambda-invoke";
	t->function = x_strdup(rule && rule->cloud_name ? rule->cloud_name : name);
	t->qualifier = dup_or_null(call->qualifier ? call->qualifier : rule ? rule->alias : NULL);
	t->region = dup_or_null(a->region);
	t->url = invoke_url(a, t->function, t->qualifier);
	if (!json_get(t->expect, "status"))
		json_put_int(t->expect, "status", 200);
	return 0;
}

static int set_http(const struct load_call *call, const struct config_function *rule,
		    struct load_target *t, struct buf *why)
{
	if (!rule || !rule->url)
		return buf_refuse(why, "no rule of the settings says where it is (url:)");
	if (call->qualifier)
		return buf_refuse(why, "--qualifier is for functions of AWS");
	t->kind = "http";
	t->url = x_strdup(rule->url);
	t->is_template = template_is_one(rule->url);
	return set_method(call, t, why);
}

int load_target_function(const struct load_call *call, const struct settings *s,
			 const char *subject_text, struct load_target *out, struct buf *why)
{
	const struct config_function *rule;
	const struct config_account *a;
	struct subject subject;
	int rc;

	*out = (struct load_target){0};
	if (subject_parse(subject_text, &subject))
		return buf_refuse(why, "%s: expected account/function", subject_text);
	a = config_account(s->config, subject.account);
	rule = config_rule(s->config, subject.account, subject.function);
	if (call->has_templates || call->rows)
		return buf_refuse(why,
				  "--template and --rows are for URLs; for a function its rule "
				  "says them");
	if (call->ca_file || call->cert_file || call->key_file || call->unix_socket)
		return buf_refuse(why,
				  "--cacert, --cert, --key and --unix-socket are for URLs; for a "
				  "function its account says them");
	out->account = x_strdup(subject.account);
	out->authority = x_strdup(subject_text);
	rc = set_version(call, out, why);
	if (!rc)
		rc = read_call(call, out, why);
	if (rc)
		return rc;
	if (rule)
		take_rule(rule, out);
	if (rule && !out->payload_count && take_payloads(rule, out, why))
		return -EINVAL;
	for (size_t i = 0; i < out->payload_count && !out->files; i++)
		if (out->payloads[i].rows.file)
			out->files = realpath(s->config->data_folder, NULL);
	out->ca_file = dup_or_null(a->ca_file);
	return a->provider == PROVIDER_AWS ? set_lambda(call, a, rule, subject.function, out, why)
					   : set_http(call, rule, out, why);
}

void load_target_release(struct load_target *t)
{
	char *all[] = {t->account,	t->url,		t->authority, t->http_method, t->region,
		       t->function,	t->qualifier,	t->ca_file,   t->instance,    t->cold,
		       t->http_version, t->unix_socket, t->cert_file, t->key_file};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		free(all[i]);
	for (size_t i = 0; i < t->payload_count; i++) {
		free(t->payloads[i].bytes);
		free(t->payloads[i].rows.file);
	}
	free(t->files);
	for (size_t i = 0; i < t->header_count; i++) {
		digest_wipe(t->headers[i].value, strlen(t->headers[i].value));
		free(t->headers[i].name);
		free(t->headers[i].value);
	}
	json_free(t->expect);
	*t = (struct load_target){0};
}
