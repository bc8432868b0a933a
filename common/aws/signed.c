#include "common/aws/signed.h"

#include <errno.h>

#define URL_MAX_BYTES (64u * 1024u)

/* As HTTP clients send it: without the scheme's own port. */
static char *host_header(const struct http_url *u)
{
	uint16_t own = u->is_tls ? 443 : 80;
	bool is_v6 = memchr(u->host, ':', u->host_bytes) != NULL;
	const char *open = is_v6 ? "[" : "", *close = is_v6 ? "]" : "";

	if (u->port == own)
		return x_asprintf("%s%.*s%s", open, (int)u->host_bytes, u->host, close);
	return x_asprintf("%s%.*s%s:%u", open, (int)u->host_bytes, u->host, close,
			  (unsigned)u->port);
}

static int send_signed(struct http *h, const struct signed_request *req, const char *url,
		       const struct http_url *parts, struct http_response *out)
{
	struct sigv4_signer signer = {
		.region = req->region, .service = req->service, .creds = req->creds};
	struct sigv4_result result = {0};
	struct http_header headers[SIGNED_HEADERS_MAX + 5];
	char *path = x_strndup(parts->path, parts->path_bytes);
	char *host = host_header(parts);
	size_t count = 0;
	int rc = 0;

	headers[count++] = (struct http_header){"Host", host};
	for (size_t i = 0; i < req->header_count; i++)
		headers[count++] = req->headers[i];
	if (req->creds.access_key_id) {
		struct sigv4_request to_sign = {.method = req->method,
						.path = path,
						.query = req->query,
						.headers = headers,
						.header_count = count,
						.body = req->body,
						.body_bytes = req->body_bytes};

		rc = sigv4_sign(&signer, &to_sign, wall_now(), &result);
		if (rc == 0)
			count += sigv4_header_list(&result, headers + count);
	}
	if (rc == 0)
		rc = http_do(h,
			     &(struct http_request){.method = req->method,
						    .url = url,
						    .headers = headers,
						    .header_count = count,
						    .body = req->body,
						    .body_bytes = req->body_bytes},
			     out);
	else
		(void)snprintf(out->why, sizeof(out->why), "the request cannot be signed");
	sigv4_result_release(&result);
	sigv4_signer_release(&signer);
	free(path);
	free(host);
	return rc;
}

int signed_do(struct http *h, const struct signed_request *req, struct http_response *out)
{
	struct buf url = BUF_INIT(URL_MAX_BYTES);
	struct http_url parts;
	int rc;

	BUG_ON(req->header_count > SIGNED_HEADERS_MAX);
	buf_adds(&url, req->endpoint);
	buf_adds(&url, req->path);
	if (req->query && *req->query)
		buf_addf(&url, "?%s", req->query);
	rc = buf_is_over(&url) ? -EINVAL : http_url_split(buf_str(&url), &parts);
	if (rc == 0)
		rc = send_signed(h, req, buf_str(&url), &parts, out);
	else
		(void)snprintf(out->why, sizeof(out->why),
			       "the endpoint is not an http or https URL");
	buf_release(&url);
	return rc;
}
