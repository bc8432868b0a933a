#include "common/aws/canonical.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

/* One segment of a path joins those already in out; as botocore does it: empty and "." vanish. */
static void add_segment(struct buf *out, const char *segment, size_t len_bytes)
{
	if (len_bytes == 0 || (len_bytes == 1 && *segment == '.'))
		return;
	if (len_bytes == 2 && !memcmp(segment, "..", 2)) {
		const char *slash = out->len_bytes ? memrchr(out->data, '/', out->len_bytes) : NULL;

		buf_truncate(out, slash ? (size_t)(slash - out->data) : 0);
		return;
	}
	buf_addc(out, '/');
	buf_add(out, segment, len_bytes);
}

/* RFC 3986 5.2.4, and double slashes become one. */
static void normalise(const char *path, struct buf *out)
{
	size_t len = strlen(path);

	for (const char *at = path; *at;) {
		size_t segment = strcspn(at, "/");

		add_segment(out, at, segment);
		at += segment;
		at += *at == '/';
	}
	if (out->len_bytes == 0 || path[len - 1] == '/')
		buf_addc(out, '/');
}

void canonical_path(const char *path, bool is_normalised, struct buf *scratch, struct buf *out)
{
	buf_clear(scratch);
	if (is_normalised && *path)
		normalise(path, scratch);
	else
		buf_adds(scratch, *path ? path : "/");
	http_encode(buf_str(scratch), scratch->len_bytes, "/", out);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %XX and encodes again, so that every spelling of a byte gives the same one. */
static void recode(const char *text, size_t len_bytes, struct buf *out)
{
	for (size_t i = 0; i < len_bytes; i++) {
		char c = text[i];

		if (c == '%' && i + 2 < len_bytes && hex_digit(text[i + 1]) >= 0 &&
		    hex_digit(text[i + 2]) >= 0) {
			c = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
			i += 2;
		}
		http_encode(&c, 1, "", out);
	}
}

struct param {
	size_t name_at, value_at; /* offsets of NUL-terminated strings */
	const struct buf *in;
};

static int compare_params(const void *a, const void *b)
{
	const struct param *p = a, *q = b;
	const char *base = p->in->data;
	int order = strcmp(base + p->name_at, base + q->name_at);

	return order ? order : strcmp(base + p->value_at, base + q->value_at);
}

static void add_param(const char *text, size_t len_bytes, struct buf *scratch, struct param *out)
{
	const char *equals = memchr(text, '=', len_bytes);
	size_t name_bytes = equals ? (size_t)(equals - text) : len_bytes;

	out->in = scratch;
	out->name_at = scratch->len_bytes;
	recode(text, name_bytes, scratch);
	buf_addc(scratch, '\0');
	out->value_at = scratch->len_bytes;
	if (equals)
		recode(equals + 1, len_bytes - name_bytes - 1, scratch);
	buf_addc(scratch, '\0');
}

int canonical_query(const char *query, struct buf *scratch, struct buf *out)
{
	struct param params[SIGV4_PARAMS_MAX];
	size_t count = 0;
	const char *at = query;

	if (!query || !*query)
		return 0;
	buf_clear(scratch);
	for (;;) {
		size_t len = strcspn(at, "&");

		if (count == SIGV4_PARAMS_MAX)
			return -E2BIG;
		add_param(at, len, scratch, &params[count++]);
		if (!at[len])
			break;
		at += len + 1;
	}
	if (buf_is_over(scratch))
		return -E2BIG;
	qsort(params, count, sizeof(params[0]), compare_params);
	for (size_t i = 0; i < count; i++)
		buf_addf(out, "%s%s=%s", i ? "&" : "", scratch->data + params[i].name_at,
			 scratch->data + params[i].value_at);
	return 0;
}

/* Proxies and clients change these on the way; the same list as botocore's. The last two
 * are ours to set. */
static const char *const unsigned_names[] = {"connection",
					     "expect",
					     "keep-alive",
					     "proxy-authenticate",
					     "te",
					     "proxy-authorization",
					     "trailer",
					     "transfer-encoding",
					     "upgrade",
					     "user-agent",
					     "x-amzn-trace-id",
					     "authorization",
					     "x-amz-date"};

static bool is_unsigned(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(unsigned_names); i++)
		if (!strcasecmp(name, unsigned_names[i]))
			return true;
	return false;
}

static bool is_valid(const struct http_header *h)
{
	if (!*h->name)
		return false;
	for (const unsigned char *c = (const unsigned char *)h->name; *c; c++)
		if (*c <= ' ' || *c >= 127 || *c == ':')
			return false;
	for (const unsigned char *c = (const unsigned char *)h->value; *c; c++)
		if ((*c < ' ' && *c != '\t') || *c == 127)
			return false;
	return true;
}

int canonical_headers_take(const struct sigv4_request *req, bool has_token,
			   struct canonical_headers *out)
{
	out->count = 0;
	out->has_host = false;
	out->given_sha256 = NULL;
	if (req->header_count > SIGV4_HEADERS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < req->header_count; i++) {
		const struct http_header *h = &req->headers[i];

		if (!is_valid(h))
			return -EINVAL;
		if (is_unsigned(h->name) ||
		    (has_token && !strcasecmp(h->name, "x-amz-security-token")))
			continue;
		out->has_host = out->has_host || !strcasecmp(h->name, "host");
		if (!strcasecmp(h->name, "x-amz-content-sha256"))
			out->given_sha256 = h->value;
		canonical_headers_add(out, h->name, h->value);
	}
	return out->has_host ? 0 : -EINVAL;
}

void canonical_headers_add(struct canonical_headers *h, const char *name, const char *value)
{
	BUG_ON(h->count == ARRAY_LEN(h->items));
	h->items[h->count++] = (struct http_header){name, value};
}

/* Insertion sort by name in lower case; stable, so that repeated headers keep their order. */
static void sort_headers(struct canonical_headers *h)
{
	for (size_t i = 1; i < h->count; i++) {
		struct http_header item = h->items[i];
		size_t at = i;

		for (; at > 0 && strcasecmp(h->items[at - 1].name, item.name) > 0; at--)
			h->items[at] = h->items[at - 1];
		h->items[at] = item;
	}
}

static void add_lower(struct buf *out, const char *name)
{
	for (; *name; name++)
		buf_addc(out, (char)tolower((unsigned char)*name));
}

/* Without space at both ends, runs of space made one. */
static void add_collapsed(struct buf *out, const char *value)
{
	bool has_word = false;

	while (*(value += strspn(value, " \t"))) {
		size_t len = strcspn(value, " \t");

		if (has_word)
			buf_addc(out, ' ');
		buf_add(out, value, len);
		has_word = true;
		value += len;
	}
}

void canonical_headers_write(struct canonical_headers *h, struct buf *out, struct buf *names)
{
	sort_headers(h);
	for (size_t i = 0; i < h->count; i++) {
		bool is_repeated = i > 0 && !strcasecmp(h->items[i].name, h->items[i - 1].name);

		if (is_repeated) {
			buf_truncate(out, out->len_bytes - 1); /* the line goes on */
			buf_addc(out, ',');
		} else {
			if (i > 0)
				buf_addc(names, ';');
			add_lower(names, h->items[i].name);
			add_lower(out, h->items[i].name);
			buf_addc(out, ':');
		}
		add_collapsed(out, h->items[i].value);
		buf_addc(out, '\n');
	}
}
