#include "common/aws/sigv4.h"

#include <ctype.h>
#include <errno.h>

#include "common/aws/canonical.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define DAY_BYTES 8 /* of "20150830T123600Z" */
#define SECRET_MAX_BYTES 1024

static void prepare(struct buf *b)
{
	buf_clear(b);
	b->max_bytes = SIGV4_MAX_BYTES;
}

static void prepare_result(struct sigv4_result *r, struct wall at)
{
	prepare(&r->canonical);
	prepare(&r->string_to_sign);
	prepare(&r->signed_headers);
	prepare(&r->authorization);
	prepare(&r->session_token);
	prepare(&r->scratch);
	wall_format_basic(at, r->date);
}

static int take_headers(const struct sigv4_signer *s, const struct sigv4_request *req,
			struct sigv4_result *r, struct canonical_headers *h)
{
	bool has_token = s->creds.session_token && *s->creds.session_token;
	int rc = canonical_headers_take(req, has_token, h);

	if (rc)
		return rc;
	canonical_headers_add(h, "x-amz-date", r->date);
	if (has_token) {
		buf_adds(&r->session_token, s->creds.session_token);
		canonical_headers_add(h, "x-amz-security-token", s->creds.session_token);
	}
	r->has_content_sha256 = !h->given_sha256 && !(s->flags & SIGV4_NO_CONTENT_SHA256);
	if (h->given_sha256)
		return 0;
	if (req->payload_sha256_hex)
		(void)snprintf(r->payload_sha256_hex, sizeof(r->payload_sha256_hex), "%s",
			       req->payload_sha256_hex);
	else
		digest_sha256_hex(req->body ? req->body : "", req->body_bytes,
				  r->payload_sha256_hex);
	if (r->has_content_sha256)
		canonical_headers_add(h, "x-amz-content-sha256", r->payload_sha256_hex);
	return 0;
}

static int build_canonical(const struct sigv4_signer *s, const struct sigv4_request *req,
			   struct sigv4_result *r)
{
	struct canonical_headers headers;
	struct buf *out = &r->canonical;
	bool is_s3 = !strcmp(s->service, "s3");
	int rc = take_headers(s, req, r, &headers);

	if (rc)
		return rc;
	for (const char *m = req->method; *m; m++)
		buf_addc(out, (char)toupper((unsigned char)*m));
	buf_addc(out, '\n');
	if (is_s3)
		buf_adds(out, *req->path ? req->path : "/");
	else
		canonical_path(req->path, !(s->flags & SIGV4_NO_NORMALIZE), &r->scratch, out);
	buf_addc(out, '\n');
	rc = canonical_query(req->query, &r->scratch, out);
	if (rc)
		return rc;
	buf_addc(out, '\n');
	canonical_headers_write(&headers, out, &r->signed_headers);
	buf_addf(out, "\n%s\n%s", buf_str(&r->signed_headers),
		 headers.given_sha256 ? headers.given_sha256 : r->payload_sha256_hex);
	return buf_is_over(out) || buf_is_over(&r->signed_headers) || buf_is_over(&r->scratch)
		       ? -E2BIG
		       : 0;
}

/* Tells the day's key apart from others without keeping the secret. */
static void name_key(const struct sigv4_signer *s, const char *day, uint8_t out[SHA256_BYTES])
{
	uint8_t secret[SHA256_BYTES];
	char text[SHA256_HEX_SIZE + DAY_BYTES + 256];
	int len;

	digest_sha256(s->creds.secret_access_key, strlen(s->creds.secret_access_key), secret);
	digest_hex(secret, sizeof(secret), text);
	len = snprintf(text + SHA256_HEX_SIZE - 1, sizeof(text) - SHA256_HEX_SIZE + 1,
		       "/%.*s/%.100s/%.100s", DAY_BYTES, day, s->region, s->service);
	digest_sha256(text, SHA256_HEX_SIZE - 1 + (size_t)len, out);
	digest_wipe(text, sizeof(text));
	digest_wipe(secret, sizeof(secret));
}

static void derive_key(struct sigv4_signer *s, const char *day)
{
	uint8_t name[SHA256_BYTES];
	char secret[SECRET_MAX_BYTES + 5];
	int len;

	name_key(s, day, name);
	if (s->has_key && !memcmp(name, s->key_of, sizeof(name)))
		return;
	len = snprintf(secret, sizeof(secret), "AWS4%s", s->creds.secret_access_key);
	digest_hmac_sha256(secret, (size_t)len, day, DAY_BYTES, s->key);
	digest_hmac_sha256(s->key, SHA256_BYTES, s->region, strlen(s->region), s->key);
	digest_hmac_sha256(s->key, SHA256_BYTES, s->service, strlen(s->service), s->key);
	digest_hmac_sha256(s->key, SHA256_BYTES, "aws4_request", 12, s->key);
	digest_wipe(secret, sizeof(secret));
	memcpy(s->key_of, name, sizeof(name));
	s->has_key = true;
}

static void sign_string(struct sigv4_signer *s, struct sigv4_result *r)
{
	char hash[SHA256_HEX_SIZE];
	uint8_t mac[SHA256_BYTES];

	digest_sha256_hex(r->canonical.data, r->canonical.len_bytes, hash);
	buf_addf(&r->string_to_sign, ALGORITHM "\n%s\n%.*s/%s/%s/aws4_request\n%s", r->date,
		 DAY_BYTES, r->date, s->region, s->service, hash);
	derive_key(s, r->date);
	digest_hmac_sha256(s->key, SHA256_BYTES, r->string_to_sign.data,
			   r->string_to_sign.len_bytes, mac);
	digest_hex(mac, sizeof(mac), r->signature);
	buf_addf(&r->authorization,
		 ALGORITHM " Credential=%s/%.*s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s",
		 s->creds.access_key_id, DAY_BYTES, r->date, s->region, s->service,
		 buf_str(&r->signed_headers), r->signature);
}

static bool is_usable(const struct sigv4_creds *c)
{
	return c->access_key_id && *c->access_key_id && c->secret_access_key &&
	       *c->secret_access_key && strlen(c->secret_access_key) <= SECRET_MAX_BYTES;
}

int sigv4_sign(struct sigv4_signer *s, const struct sigv4_request *req, struct wall at,
	       struct sigv4_result *out)
{
	int rc;

	if (!is_usable(&s->creds) || !req->method || !*req->method)
		return -EINVAL;
	prepare_result(out, at);
	rc = build_canonical(s, req, out);
	if (rc)
		return rc;
	sign_string(s, out);
	return buf_is_over(&out->authorization) || buf_is_over(&out->string_to_sign) ? -E2BIG : 0;
}

size_t sigv4_header_list(const struct sigv4_result *r, struct http_header out[4])
{
	size_t count = 0;

	out[count++] = (struct http_header){"X-Amz-Date", r->date};
	if (r->has_content_sha256)
		out[count++] = (struct http_header){"X-Amz-Content-Sha256", r->payload_sha256_hex};
	if (r->session_token.len_bytes)
		out[count++] =
			(struct http_header){"X-Amz-Security-Token", buf_str(&r->session_token)};
	out[count++] = (struct http_header){"Authorization", buf_str(&r->authorization)};
	return count;
}

void sigv4_write_headers(const struct sigv4_result *r, struct buf *out)
{
	struct http_header list[4];
	size_t count = sigv4_header_list(r, list);

	for (size_t i = 0; i < count; i++) {
		buf_adds(out, list[i].name);
		buf_adds(out, ": ");
		buf_adds(out, list[i].value);
		buf_adds(out, "\r\n");
	}
}

static void wipe_buf(struct buf *b)
{
	if (b->data)
		digest_wipe(b->data, b->cap_bytes);
	buf_release(b);
}

void sigv4_result_release(struct sigv4_result *r)
{
	wipe_buf(&r->canonical);
	wipe_buf(&r->string_to_sign);
	wipe_buf(&r->signed_headers);
	wipe_buf(&r->authorization);
	wipe_buf(&r->session_token);
	wipe_buf(&r->scratch);
}

void sigv4_signer_release(struct sigv4_signer *s)
{
	digest_wipe(s->key, sizeof(s->key));
	digest_wipe(s->key_of, sizeof(s->key_of));
	s->has_key = false;
}
