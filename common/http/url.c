#include "common/http/http.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

static bool is_unreserved(unsigned char c)
{
	return c < 128 && (isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~');
}

void http_encode(const char *text, size_t len_bytes, const char *keep, struct buf *out)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < len_bytes; i++) {
		unsigned char c = (unsigned char)text[i];

		if (is_unreserved(c) || (c && strchr(keep, c))) {
			buf_addc(out, (char)c);
		} else {
			char enc[3] = {'%', hex[c >> 4], hex[c & 15]};

			buf_add(out, enc, sizeof(enc));
		}
	}
}

static int parse_port(const char *text, size_t len_bytes, uint16_t *out)
{
	unsigned long port = 0;

	if (len_bytes == 0 || len_bytes > 5)
		return -EINVAL;
	for (size_t i = 0; i < len_bytes; i++) {
		if (!isdigit((unsigned char)text[i]))
			return -EINVAL;
		port = port * 10 + (unsigned long)(text[i] - '0');
	}
	if (port == 0 || port > UINT16_MAX)
		return -EINVAL;
	*out = (uint16_t)port;
	return 0;
}

static int split_authority(struct http_url *u)
{
	const char *a = u->authority, *end = a + u->authority_bytes;
	const char *after = a;

	u->port = u->is_tls ? 443 : 80;
	if (u->authority_bytes == 0 || memchr(a, '@', u->authority_bytes))
		return -EINVAL;
	if (*a == '[') {
		after = memchr(a, ']', u->authority_bytes);
		if (!after)
			return -EINVAL;
		u->host = a + 1;
		u->host_bytes = (size_t)(after - u->host);
		after++;
	} else {
		after = memchr(a, ':', u->authority_bytes);
		after = after ? after : end;
		u->host = a;
		u->host_bytes = (size_t)(after - a);
	}
	if (u->host_bytes == 0)
		return -EINVAL;
	if (after == end)
		return 0;
	return *after == ':' ? parse_port(after + 1, (size_t)(end - after - 1), &u->port) : -EINVAL;
}

int http_url_split(const char *url, struct http_url *out)
{
	struct http_url u = {0};
	const char *at = url;

	for (const unsigned char *c = (const unsigned char *)url; *c; c++)
		if (*c <= ' ' || *c == 127)
			return -EINVAL;
	if (!strncasecmp(at, "https://", 8)) {
		u.is_tls = true;
		at += 8;
	} else if (!strncasecmp(at, "http://", 7)) {
		at += 7;
	} else {
		return -EINVAL;
	}
	u.authority = at;
	u.authority_bytes = strcspn(at, "/?#");
	if (split_authority(&u) != 0)
		return -EINVAL;
	at += u.authority_bytes;
	u.path = at;
	u.path_bytes = strcspn(at, "?#");
	at += u.path_bytes;
	if (*at == '?') {
		u.query = at + 1;
		u.query_bytes = strcspn(u.query, "#");
	}
	*out = u;
	return 0;
}
