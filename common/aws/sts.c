#include "common/aws/sts.h"

#include <errno.h>
#include <inttypes.h>

#include "common/aws/answer.h"
#include "common/aws/signed.h"
#include "common/aws/sources.h"
#include "common/aws/xml.h"

#define FORM_MAX_BYTES (64u * 1024u)
#define FIELD_MAX_BYTES (16u * 1024u)
#define SESSION_NAME_MAX 64

static void add_field(struct buf *form, const char *name, const char *value)
{
	if (!value)
		return;
	buf_addf(form, "%s%s=", form->len_bytes ? "&" : "", name);
	http_encode(value, strlen(value), "", form);
}

/* [\w+=,.@-]{2,64} is what STS takes. */
static void clean_session_name(const char *name, char out[SESSION_NAME_MAX + 1])
{
	static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789_+=,.@-";
	size_t len = 0;

	for (; *name && len < SESSION_NAME_MAX; name++)
		out[len++] = strchr(kept, *name) ? *name : '-';
	while (len < 2)
		out[len++] = '-';
	out[len] = '\0';
}

static void build_form(const struct sts_role *role, struct buf *form)
{
	char name[SESSION_NAME_MAX + 1], seconds[24];

	clean_session_name(role->session_name ? role->session_name : "plimsoll", name);
	add_field(form, "Action",
		  role->web_identity_token ? "AssumeRoleWithWebIdentity" : "AssumeRole");
	add_field(form, "Version", "2011-06-15");
	add_field(form, "RoleArn", role->role_arn);
	add_field(form, "RoleSessionName", name);
	add_field(form, "ExternalId", role->external_id);
	add_field(form, "Policy", role->policy);
	add_field(form, "WebIdentityToken", role->web_identity_token);
	if (role->duration_s) {
		(void)snprintf(seconds, sizeof(seconds), "%" PRId64, role->duration_s);
		add_field(form, "DurationSeconds", seconds);
	}
}

static int field(const struct http_response *r, const char *name, struct buf *out)
{
	return xml_text(buf_str(&r->body), r->body.len_bytes, name, out);
}

static int read_session(const struct http_response *r, const struct sts_role *role,
			struct aws_creds *out, struct aws_error *err)
{
	struct buf key = BUF_INIT(FIELD_MAX_BYTES), secret = BUF_INIT(FIELD_MAX_BYTES);
	struct buf token = BUF_INIT(FIELD_MAX_BYTES), until = BUF_INIT(FIELD_MAX_BYTES);
	struct wall expires;
	int rc = 0;

	if (field(r, "AccessKeyId", &key) || field(r, "SecretAccessKey", &secret) ||
	    field(r, "SessionToken", &token) || field(r, "Expiration", &until) ||
	    wall_parse_rfc3339(buf_str(&until), &expires) != 0) {
		rc = aws_error_set(err, AWS_BAD_ANSWER,
				   "cannot assume role %s: the answer of STS holds no session; "
				   "check that the endpoint is an STS",
				   role->role_arn);
	} else {
		creds_set(out, buf_str(&key), buf_str(&secret), buf_str(&token), &expires);
		(void)snprintf(out->origin, sizeof(out->origin), "role %s", role->role_arn);
	}
	source_wipe(&key);
	source_wipe(&secret);
	source_wipe(&token);
	source_wipe(&until);
	return rc;
}

/* STS does not say which of its conditions failed: name each, and what we sent. */
static void explain_denied(const struct sts_role *role, const struct aws_creds *base,
			   struct aws_error *err)
{
	char why[600];
	const char *end = strstr(err->text, "; ");
	struct aws_error told = *err;

	(void)snprintf(why, sizeof(why), "%.*s",
		       end ? (int)(end - err->text) : (int)sizeof(why) - 1, err->text);
	if (strstr(why, "no identity-based policy"))
		(void)aws_error_set(err, AWS_DENIED,
				    "%s; missing: sts:AssumeRole on this role in the policy of the "
				    "calling identity",
				    why);
	else if (!base)
		(void)aws_error_set(
			err, AWS_DENIED,
			"%s; the trust policy of the role must allow "
			"sts:AssumeRoleWithWebIdentity to the token's provider, audience "
			"and subject",
			why);
	else
		(void)aws_error_set(
			err, AWS_DENIED,
			"%s; the trust policy of the role must name the calling identity as "
			"Principal%s",
			why,
			role->external_id
				? ", and its sts:ExternalId must equal external_id: of "
				  "the account (one was sent, so that may be the wrong one)"
				: "; if it asks for sts:ExternalId, set external_id: of "
				  "the account (none was sent)");
	err->status = told.status;
	(void)snprintf(err->code, sizeof(err->code), "%s", told.code);
}

static int refuse(const struct http_response *r, const char *url, const struct sts_role *role,
		  const struct aws_creds *base, struct aws_error *err)
{
	char what[300];
	struct answer_context c = {.what = what,
				   .permission = "sts:AssumeRole",
				   .origin = base ? base->origin : "web identity token",
				   .host = url};
	int rc;

	(void)snprintf(what, sizeof(what), "assume role %s", role->role_arn);
	rc = answer_refused(r, &c, err);
	if (err->fault == AWS_DENIED && strncmp(err->code, "I", 1) != 0)
		explain_denied(role, base, err);
	return rc;
}

int sts_assume_role(struct http *http, const char *url, const char *region,
		    const struct aws_creds *base, const struct sts_role *role,
		    struct aws_creds *out, struct aws_error *err)
{
	static const struct http_header type = {"Content-Type",
						"application/x-www-form-urlencoded; charset=utf-8"};
	struct http_response r = HTTP_RESPONSE_INIT;
	struct buf form = BUF_INIT(FORM_MAX_BYTES);
	struct aws_error local = {0};
	int rc;

	err = err ? err : &local;
	build_form(role, &form);
	struct signed_request req = {.endpoint = url,
				     .method = "POST",
				     .path = "/",
				     .headers = &type,
				     .header_count = 1,
				     .body = buf_str(&form),
				     .body_bytes = form.len_bytes,
				     .region = region,
				     .service = "sts"};
	if (!role->web_identity_token)
		req.creds = aws_creds_view(base);
	rc = buf_is_over(&form) ? -EINVAL : signed_do(http, &req, &r);
	if (rc)
		rc = answer_failed(rc, &r,
				   &(struct answer_context){.what = "assume the role", .host = url},
				   err);
	else if (r.status != 200)
		rc = refuse(&r, url, role, role->web_identity_token ? NULL : base, err);
	else
		rc = read_session(&r, role, out, err);
	source_wipe(&form);
	http_response_release(&r);
	return rc;
}
