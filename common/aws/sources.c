#include "common/aws/sources.h"

#include <errno.h>

#include "common/aws/aws.h"
#include "common/aws/sts.h"
#include "common/base/fsio.h"

#define TOKEN_MAX_BYTES (64u * 1024u)

static source_fn *const sources[] = {
	source_environment, source_profile, source_web_identity, source_container, source_instance,
};

int sources_ask(const struct aws_chain_options *o, struct aws_creds *out, struct aws_error *err)
{
	struct buf skipped = BUF_INIT(SKIPPED_MAX_BYTES);
	int rc = -ENOENT;

	for (size_t i = 0; i < ARRAY_LEN(sources) && rc == -ENOENT; i++)
		rc = sources[i](o, out, &skipped, err);
	if (rc == -ENOENT)
		rc = aws_error_set(err, AWS_NO_CREDENTIALS,
				   "no AWS credentials found: %s; set AWS_ACCESS_KEY_ID and "
				   "AWS_SECRET_ACCESS_KEY, or name a profile (profile: of the "
				   "account, or AWS_PROFILE)",
				   buf_str(&skipped));
	buf_release(&skipped);
	return rc;
}

int source_environment(const struct aws_chain_options *o, struct aws_creds *out,
		       struct buf *skipped, struct aws_error *err)
{
	const char *key = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY");

	if (o->profile)
		return -ENOENT;
	if (!key || !*key) {
		buf_adds(skipped, "AWS_ACCESS_KEY_ID is not set");
		return -ENOENT;
	}
	if (!secret || !*secret)
		return aws_error_set(err, AWS_NO_CREDENTIALS,
				     "AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not; "
				     "set both or none");
	creds_set(out, key, secret, getenv("AWS_SESSION_TOKEN"), NULL);
	(void)snprintf(out->origin, sizeof(out->origin), "environment");
	return 0;
}

int source_read_token(const char *path, struct buf *out)
{
	int rc = fs_read(path, out);

	while (rc == 0 && out->len_bytes && strchr("\r\n", out->data[out->len_bytes - 1]))
		buf_truncate(out, out->len_bytes - 1);
	return rc;
}

void source_wipe(struct buf *b)
{
	if (b->data)
		digest_wipe(b->data, b->cap_bytes);
	buf_release(b);
}

int source_assume(const struct aws_chain_options *o, const struct aws_creds *base,
		  const struct sts_role *role, struct aws_creds *out, struct aws_error *err)
{
	char *region = o->region ? x_strdup(o->region) : aws_default_region(o->profile);
	char *url = NULL;
	int rc = 0;

	if (!region)
		region = x_strdup("us-east-1"); /* STS answers there for every region */
	url = aws_endpoint(AWS_STS, o->endpoint, o->profile, region);
	if (o->limiter && limiter_wait(o->limiter, o->is_stopped, o->stop_ctx) != 0)
		rc = aws_error_set(err, AWS_STOPPED, "stopped");
	if (rc == 0)
		rc = sts_assume_role(o->http, url, region, base, role, out, err);
	free(region);
	free(url);
	return rc;
}

int source_web_identity(const struct aws_chain_options *o, struct aws_creds *out,
			struct buf *skipped, struct aws_error *err)
{
	const char *path = getenv("AWS_WEB_IDENTITY_TOKEN_FILE"), *arn = getenv("AWS_ROLE_ARN");
	const char *name = getenv("AWS_ROLE_SESSION_NAME");
	struct buf token = BUF_INIT(TOKEN_MAX_BYTES);
	int rc;

	if (o->profile)
		return -ENOENT;
	if (!path || !*path || !arn || !*arn) {
		buf_adds(skipped, ", AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are not set");
		return -ENOENT;
	}
	rc = source_read_token(path, &token);
	if (rc)
		rc = aws_error_set(err, AWS_NO_CREDENTIALS,
				   "cannot read %s (AWS_WEB_IDENTITY_TOKEN_FILE): %s; check the "
				   "file",
				   path, strerror(-rc));
	else
		rc = source_assume(o, NULL,
				   &(struct sts_role){.role_arn = arn,
						      .session_name = name ? name : o->session_name,
						      .web_identity_token = buf_str(&token)},
				   out, err);
	source_wipe(&token);
	return rc;
}
