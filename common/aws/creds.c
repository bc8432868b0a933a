#include "common/aws/creds.h"

#include <errno.h>

#include "common/aws/sources.h"

static void wipe_string(char **s)
{
	if (*s)
		digest_wipe(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

void aws_creds_release(struct aws_creds *c)
{
	wipe_string(&c->access_key_id);
	wipe_string(&c->secret_access_key);
	wipe_string(&c->session_token);
	*c = (struct aws_creds){0};
}

void aws_creds_move(struct aws_creds *to, struct aws_creds *from)
{
	aws_creds_release(to);
	*to = *from;
	*from = (struct aws_creds){0};
}

struct sigv4_creds aws_creds_view(const struct aws_creds *c)
{
	return (struct sigv4_creds){c->access_key_id, c->secret_access_key, c->session_token};
}

bool aws_creds_want_renewal(const struct aws_creds *c, struct wall now)
{
	int64_t life_ns = wall_diff_ns(c->expires, c->obtained);
	int64_t left_ns = wall_diff_ns(c->expires, now);

	return c->has_expiry && left_ns < life_ns / 3;
}

void aws_creds_write_process(const struct aws_creds *c, struct buf *out)
{
	struct json *o = json_obj();
	char expires[WALL_RFC3339_SIZE];

	json_put_int(o, "Version", 1);
	json_put_str(o, "AccessKeyId", c->access_key_id);
	json_put_str(o, "SecretAccessKey", c->secret_access_key);
	json_put_str(o, "SessionToken", c->session_token);
	if (c->has_expiry) {
		wall_format_rfc3339(c->expires, expires);
		json_put_str(o, "Expiration", expires);
	}
	json_write(o, out);
	creds_wipe_json(o);
	json_free(o);
}

int aws_creds_parse_process(const char *text, size_t len_bytes, struct aws_creds *out,
			    char why[160])
{
	struct json *v;
	int rc = json_parse(text, len_bytes, CREDS_JSON_MAX_BYTES, &v, NULL);

	if (rc) {
		(void)snprintf(why, 160, "the answer is not JSON");
		return -EINVAL;
	}
	if (json_get_int(v, "Version", 0) != 1) {
		(void)snprintf(why, 160, "the answer has no Version 1");
		rc = -EINVAL;
	} else {
		rc = creds_from_json(v, "SessionToken", out, why);
	}
	creds_wipe_json(v);
	json_free(v);
	return rc;
}

void creds_wipe_json(struct json *o)
{
	static const char *const names[] = {"SecretAccessKey", "SessionToken", "Token"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *s = json_get_str(o, names[i]);

		if (s)
			digest_wipe((char *)(uintptr_t)s, strlen(s));
	}
}

int creds_from_json(const struct json *v, const char *token_name, struct aws_creds *out,
		    char why[160])
{
	const char *key = json_get_str(v, "AccessKeyId");
	const char *secret = json_get_str(v, "SecretAccessKey");
	const char *token = json_get_str(v, token_name);
	const char *expires = json_get_str(v, "Expiration");
	struct wall at = {0};

	if (!key || !*key || !secret || !*secret) {
		(void)snprintf(why, 160, "it holds no AccessKeyId and SecretAccessKey");
		return -EINVAL;
	}
	if (expires && wall_parse_rfc3339(expires, &at) != 0) {
		(void)snprintf(why, 160, "its Expiration is not a time");
		return -EINVAL;
	}
	creds_set(out, key, secret, token, expires ? &at : NULL);
	return 0;
}

void creds_set(struct aws_creds *out, const char *key, const char *secret, const char *token,
	       const struct wall *expires)
{
	*out = (struct aws_creds){
		.access_key_id = x_strdup(key),
		.secret_access_key = x_strdup(secret),
		.session_token = token && *token ? x_strdup(token) : NULL,
		.obtained = wall_now(),
		.has_expiry = expires != NULL,
	};
	if (expires)
		out->expires = *expires;
}
