/* Credentials from the container endpoint and from instance metadata (version 2). */
#include <errno.h>
#include <strings.h>

#include "common/aws/sources.h"

#define ASK_TIMEOUT_MS 2000
#define ANSWER_MAX_BYTES (64u * 1024u)
#define TOKEN_MAX_BYTES 8192
#define TASK_HOST "http://169.254.170.2"
#define INSTANCE_HOST "http://169.254.169.254"
#define INSTANCE_PATH "/latest/meta-data/iam/security-credentials/"

struct question {
	const char *method, *url;
	struct http_header header; /* name NULL = none */
};

static int ask(struct http *h, const struct question *q, struct http_response *out)
{
	return http_do(h,
		       &(struct http_request){.method = q->method,
					      .url = q->url,
					      .headers = &q->header,
					      .header_count = q->header.name != NULL,
					      .timeout_ms = ASK_TIMEOUT_MS,
					      .body_max_bytes = ANSWER_MAX_BYTES},
		       out);
}

static int read_answer(const struct http_response *r, const char *place, struct aws_creds *out,
		       struct aws_error *err)
{
	struct json *v = NULL;
	char why[160] = "it is not JSON";
	int rc = json_parse(buf_str(&r->body), r->body.len_bytes, CREDS_JSON_MAX_BYTES, &v, NULL);

	if (rc == 0)
		rc = creds_from_json(v, "Token", out, why);
	if (rc)
		rc = aws_error_set(err, AWS_BAD_ANSWER, "the answer of the %s is of no use: %s",
				   place, why);
	else
		(void)snprintf(out->origin, sizeof(out->origin), "%s", place);
	if (v)
		creds_wipe_json(v);
	json_free(v);
	return rc;
}

/* Plain http only to this host and to the addresses that AWS gives its agents. */
static bool is_full_uri_allowed(const char *uri)
{
	static const char *const hosts[] = {"127.0.0.1",     "localhost",      "::1",
					    "169.254.170.2", "169.254.170.23", "fd00:ec2::23"};
	struct http_url u;

	if (http_url_split(uri, &u) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		if (strlen(hosts[i]) == u.host_bytes &&
		    !strncasecmp(hosts[i], u.host, u.host_bytes))
			return true;
	return u.is_tls;
}

static int container_token(struct buf *out, struct aws_error *err)
{
	const char *path = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	int rc = 0;

	if (path && *path)
		rc = source_read_token(path, out);
	else if (token)
		buf_adds(out, token);
	if (rc == 0 && buf_is_over(out))
		rc = -E2BIG;
	return rc ? aws_error_set(err, AWS_NO_CREDENTIALS,
				  "cannot read the container's authorization token%s%s: %s; check "
				  "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
				  path ? " from " : "", path ? path : "", strerror(-rc))
		  : 0;
}

static int ask_container(struct http *h, const char *url, struct aws_creds *out,
			 struct aws_error *err)
{
	struct buf token = BUF_INIT(TOKEN_MAX_BYTES);
	struct http_response r = HTTP_RESPONSE_INIT;
	struct question q = {.method = "GET", .url = url};
	int rc = container_token(&token, err);

	if (rc)
		goto out;
	if (token.len_bytes)
		q.header = (struct http_header){"Authorization", buf_str(&token)};
	rc = ask(h, &q, &r);
	if (rc)
		rc = aws_error_set(err, rc == -ECANCELED ? AWS_STOPPED : AWS_NETWORK,
				   "cannot ask the container endpoint for credentials: %s; check "
				   "AWS_CONTAINER_CREDENTIALS_*",
				   r.why);
	else if (r.status != 200)
		rc = aws_error_set(err, AWS_NO_CREDENTIALS,
				   "the container endpoint answers HTTP %d to the question for "
				   "credentials; check the task's role and its token",
				   r.status);
	else
		rc = read_answer(&r, "container endpoint", out, err);
out:
	source_wipe(&token);
	http_response_release(&r);
	return rc;
}

int source_container(const struct aws_chain_options *o, struct aws_creds *out, struct buf *skipped,
		     struct aws_error *err)
{
	const char *relative = getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	char *url;
	int rc;

	if (o->profile)
		return -ENOENT;
	if (relative && *relative == '/') {
		url = x_asprintf(TASK_HOST "%s", relative);
	} else if (full && *full) {
		if (!is_full_uri_allowed(full))
			return aws_error_set(err, AWS_BAD_REQUEST,
					     "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https "
					     "nor a local address; credentials are not asked for "
					     "there");
		url = x_strdup(full);
	} else {
		buf_adds(skipped, ", there is no container endpoint");
		return -ENOENT;
	}
	rc = ask_container(o->http, url, out, err);
	free(url);
	return rc;
}

/* A session token first, as version 2 wants it; then the role's name; then its credentials. */
static int ask_instance(struct http *h, const char *base, struct http_response *r)
{
	char *url = x_asprintf("%s/latest/api/token", base);
	char *token = NULL;
	struct question q = {"PUT", url, {"X-aws-ec2-metadata-token-ttl-seconds", "21600"}};
	int rc = ask(h, &q, r);

	if (rc || r->status != 200)
		goto out;
	token = buf_steal(&r->body);
	free(url);
	url = x_asprintf("%s" INSTANCE_PATH, base);
	q = (struct question){"GET", url, {"X-aws-ec2-metadata-token", token}};
	rc = ask(h, &q, r);
	if (rc || r->status != 200)
		goto out;
	free(url);
	url = x_asprintf("%s" INSTANCE_PATH "%.*s", base, (int)strcspn(buf_str(&r->body), "\r\n"),
			 buf_str(&r->body));
	q.url = url;
	rc = ask(h, &q, r);
out:
	free(token);
	free(url);
	return rc;
}

int source_instance(const struct aws_chain_options *o, struct aws_creds *out, struct buf *skipped,
		    struct aws_error *err)
{
	const char *off = getenv("AWS_EC2_METADATA_DISABLED");
	const char *given = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	struct http_response r = HTTP_RESPONSE_INIT;
	char *base;
	int rc;

	if (o->profile)
		return -ENOENT;
	if (off && !strcasecmp(off, "true")) {
		buf_adds(skipped, ", instance metadata is disabled");
		return -ENOENT;
	}
	base = x_strdup(given && *given ? given : INSTANCE_HOST);
	while (*base && base[strlen(base) - 1] == '/')
		base[strlen(base) - 1] = '\0';
	rc = ask_instance(o->http, base, &r);
	if (rc == -ECANCELED) {
		rc = aws_error_set(err, AWS_STOPPED, "stopped");
	} else if (rc || r.status != 200) {
		buf_adds(skipped, ", no instance metadata answers");
		rc = -ENOENT;
	} else {
		rc = read_answer(&r, "instance metadata", out, err);
	}
	http_response_release(&r);
	free(base);
	return rc;
}
