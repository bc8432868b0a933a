#include "common/http/http.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <strings.h>

#include "common/digest/digest.h"
#include "common/http/own.h"

#define CONNECT_TIMEOUT_MS 10000
#define USER_AGENT "plimsoll/" PLIMSOLL_VERSION

struct http *http_new(const struct http_options *options)
{
	static bool is_curl_ready;
	struct http *h = x_calloc(1, sizeof(*h));

	if (!is_curl_ready) {
		BUG_ON(curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK);
		is_curl_ready = true;
	}
	h->opt = *options;
	h->ca_file = options->ca_file ? x_strdup(options->ca_file) : NULL;
	h->easy = curl_easy_init();
	BUG_ON(!h->easy);
	return h;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	http_async_free(h->async);
	curl_easy_cleanup(h->easy);
	free(h->ca_file);
	free(h);
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
	struct http *h = ctx;

	buf_add(&h->out->body, data, size * count);
	return buf_is_over(&h->out->body) ? CURL_WRITEFUNC_ERROR : size * count;
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
	struct http *h = ctx;
	size_t len = size * count;

	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
		buf_clear(&h->out->head); /* an interim answer went before */
	else if (len > 2)
		buf_add(&h->out->head, data, len);
	return buf_is_over(&h->out->head) ? CURL_WRITEFUNC_ERROR : len;
}

static int on_progress(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
		       curl_off_t up)
{
	struct http *h = ctx;

	(void)down_total, (void)down, (void)up_total, (void)up;
	return h->opt.is_stopped && h->opt.is_stopped(h->opt.stop_ctx);
}

static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *addr)
{
	struct http *h = ctx;
	const struct http_options *o = &h->opt;

	(void)purpose;
	if (o->is_allowed && !o->is_allowed(&addr->addr, addr->addrlen, o->allow_ctx)) {
		h->was_refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
}

static bool is_header_name(const char *name)
{
	size_t len = strspn(name, "!#$%&'*+-.^_`|~0123456789"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

	return len > 0 && name[len] == '\0';
}

static bool is_header_value(const char *value)
{
	for (; *value; value++)
		if (iscntrl((unsigned char)*value) && *value != '\t')
			return false;
	return true;
}

static int add_header_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	BUG_ON(!longer);
	*list = longer;
	return 0;
}

/* What curl would add by itself and the caller did not ask for is taken out. */
static int build_headers(const struct http_request *req, struct curl_slist **list)
{
	bool has_type = false, has_agent = false;

	for (size_t i = 0; i < req->header_count; i++) {
		const struct http_header *h = &req->headers[i];
		char *line;

		if (!is_header_name(h->name) || !is_header_value(h->value))
			return -EINVAL;
		has_type = has_type || !strcasecmp(h->name, "content-type");
		has_agent = has_agent || !strcasecmp(h->name, "user-agent");
		line = *h->value ? x_asprintf("%s: %s", h->name, h->value)
				 : x_asprintf("%s;", h->name);
		add_header_line(list, line);
		digest_wipe(line, strlen(line));
		free(line);
	}
	if (!has_type)
		add_header_line(list, "Content-Type:");
	if (!has_agent)
		add_header_line(list, "User-Agent: " USER_AGENT);
	return add_header_line(list, "Expect:");
}

static void wipe_headers(struct curl_slist *list)
{
	for (struct curl_slist *l = list; l; l = l->next)
		digest_wipe(l->data, strlen(l->data));
	curl_slist_free_all(list);
}

static void set_policy(struct http *h)
{
	CURL *e = h->easy;

	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	curl_easy_setopt(e, CURLOPT_PROXY, ""); /* nor what http_proxy and friends say */
	if (h->ca_file)
		curl_easy_setopt(e, CURLOPT_CAINFO, h->ca_file);
}

static void set_callbacks(struct http *h)
{
	CURL *e = h->easy;

	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, h->error);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, h);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, h);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, h);
	curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(e, CURLOPT_XFERINFODATA, h);
	curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
}

static void set_request(CURL *e, const struct http_request *req, struct curl_slist *headers)
{
	int64_t timeout_ms = req->timeout_ms > 0 ? req->timeout_ms : HTTP_TIMEOUT_MS;
	bool is_head = !strcmp(req->method, "HEAD");
	bool has_body =
		req->body_bytes > 0 || !strcmp(req->method, "POST") || !strcmp(req->method, "PUT");

	curl_easy_setopt(e, CURLOPT_URL, req->url);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)MIN_OF(timeout_ms, CONNECT_TIMEOUT_MS));
	if (is_head)
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	if (has_body) {
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_bytes);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, req->body ? req->body : "");
	}
	if (!is_head)
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, req->method);
}

static const struct {
	CURLcode code;
	int error;
} code_table[] = {
	{CURLE_OK, 0},
	{CURLE_UNSUPPORTED_PROTOCOL, -EINVAL},
	{CURLE_URL_MALFORMAT, -EINVAL},
	{CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH},
	{CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH},
	{CURLE_COULDNT_CONNECT, -ECONNREFUSED},
	{CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT},
	{CURLE_ABORTED_BY_CALLBACK, -ECANCELED},
	{CURLE_WRITE_ERROR, -EFBIG},
	{CURLE_FILESIZE_EXCEEDED, -EFBIG},
	{CURLE_GOT_NOTHING, -ECONNRESET},
	{CURLE_PARTIAL_FILE, -ECONNRESET},
	{CURLE_SEND_ERROR, -ECONNRESET},
	{CURLE_RECV_ERROR, -ECONNRESET},
	{CURLE_SSL_CONNECT_ERROR, -EPROTO},
	{CURLE_PEER_FAILED_VERIFICATION, -EPROTO},
	{CURLE_SSL_CACERT_BADFILE, -EPROTO},
	{CURLE_WEIRD_SERVER_REPLY, -EPROTO},
};

static int errno_of(CURLcode code)
{
	for (size_t i = 0; i < ARRAY_LEN(code_table); i++)
		if (code_table[i].code == code)
			return code_table[i].error;
	return -EIO;
}

static const char *plain_words(int rc)
{
	switch (rc) {
	case -ECANCELED:
		return "stopped";
	case -EFBIG:
		return "the answer is larger than it may be";
	case -EACCES:
		return "its address is not allowed";
	default:
		return NULL;
	}
}

/* "http://host:port: what curl said"; the path and the query stay out, they may name secrets. */
static void say_why(const char *asked, int rc, const char *curl_says, struct http_response *out)
{
	struct http_url url;
	const char *words = plain_words(rc);

	if (!words)
		words = curl_says;
	if (http_url_split(asked, &url) == 0)
		(void)snprintf(out->why, sizeof(out->why), "%s://%.*s: %s",
			       url.is_tls ? "https" : "http", (int)url.authority_bytes,
			       url.authority, words);
	else
		(void)snprintf(out->why, sizeof(out->why), "not an http or https URL");
}

static void clear_response(const struct http_request *req, struct http_response *out)
{
	out->status = 0;
	out->why[0] = '\0';
	buf_clear(&out->head);
	buf_clear(&out->body);
	out->head.max_bytes = HTTP_HEAD_MAX_BYTES;
	out->body.max_bytes = req->body_max_bytes ? req->body_max_bytes : HTTP_BODY_MAX_BYTES;
}

int http_begin(struct http *h, const struct http_request *request, struct http_response *out)
{
	struct http_url url;
	int rc;

	clear_response(request, out);
	h->was_refused = false;
	h->out = out;
	h->headers = NULL;
	h->error[0] = '\0';
	if (on_progress(h, 0, 0, 0, 0)) {
		rc = -ECANCELED;
		say_why(request->url, rc, "", out);
		return rc;
	}
	rc = http_url_split(request->url, &url);
	if (rc == 0)
		rc = build_headers(request, &h->headers);
	if (rc) {
		say_why(request->url, rc, "a header holds control characters", out);
		wipe_headers(h->headers);
		h->headers = NULL;
		return rc;
	}
	curl_easy_reset(h->easy); /* options only; connections stay */
	set_policy(h);
	set_callbacks(h);
	set_request(h->easy, request, h->headers);
	return 0;
}

int http_complete(struct http *h, CURLcode code)
{
	int rc = errno_of(code);
	char *url = NULL;
	long status = 0;

	if (rc && h->was_refused)
		rc = -EACCES;
	if (rc) {
		curl_easy_getinfo(h->easy, CURLINFO_EFFECTIVE_URL, &url);
		say_why(url, rc, *h->error ? h->error : curl_easy_strerror(code), h->out);
	} else {
		curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
		h->out->status = (int)status;
	}
	wipe_headers(h->headers);
	h->headers = NULL;
	return rc;
}

int http_do(struct http *h, const struct http_request *request, struct http_response *out)
{
	int rc = http_begin(h, request, out);

	return rc ? rc : http_complete(h, curl_easy_perform(h->easy));
}

bool http_response_header(const struct http_response *r, const char *name, char *out,
			  size_t out_size)
{
	const char *line = buf_str(&r->head);
	size_t name_bytes = strlen(name);

	while (*line) {
		size_t len = strcspn(line, "\r\n");

		if (len > name_bytes && line[name_bytes] == ':' &&
		    !strncasecmp(line, name, name_bytes)) {
			const char *value = line + name_bytes + 1;
			const char *end = line + len;

			while (value < end && (*value == ' ' || *value == '\t'))
				value++;
			while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
				end--;
			(void)snprintf(out, out_size, "%.*s", (int)(end - value), value);
			return true;
		}
		line += len;
		line += strspn(line, "\r\n");
	}
	return false;
}

void http_response_release(struct http_response *r)
{
	if (r->body.data)
		digest_wipe(r->body.data, r->body.cap_bytes);
	buf_release(&r->head);
	buf_release(&r->body);
}

bool http_signal_pending(void *unused)
{
	sigset_t set;

	(void)unused;
	if (sigpending(&set) != 0)
		return false;
	return sigismember(&set, SIGTERM) == 1 || sigismember(&set, SIGINT) == 1;
}
