/* Credentials of a profile: keys of its own, or a role on top of another profile's. */
#include <errno.h>
#include <strings.h>

#include "common/aws/profile.h"
#include "common/aws/sources.h"
#include "common/aws/sts.h"
#include "common/base/unit.h"

#define CHAIN_DEPTH_MAX 5
#define TOKEN_MAX_BYTES (64u * 1024u)

struct lookup {
	const struct aws_chain_options *o;
	const struct profiles *files;
	struct aws_error *err;
};

static int resolve(const struct lookup *l, const char *name, int depth, struct aws_creds *out);

static int own_keys(const struct lookup *l, const char *name, struct aws_creds *out)
{
	const char *key = profile_get(l->files, name, "aws_access_key_id");
	const char *secret = profile_get(l->files, name, "aws_secret_access_key");
	bool is_in_credentials = ini_get(l->files->credentials, name, "aws_access_key_id") != NULL;

	if (!key)
		return -ENOENT;
	if (!secret)
		return aws_error_set(l->err, AWS_NO_CREDENTIALS,
				     "profile %s has aws_access_key_id but no "
				     "aws_secret_access_key; add it",
				     name);
	creds_set(out, key, secret, profile_get(l->files, name, "aws_session_token"), NULL);
	(void)snprintf(out->origin, sizeof(out->origin), "profile %s in %s", name,
		       is_in_credentials ? l->files->credentials_path : l->files->config_path);
	return 0;
}

static const struct {
	const char *name;
	source_fn *ask;
} credential_sources[] = {
	{"Environment", source_environment},
	{"EcsContainer", source_container},
	{"Ec2InstanceMetadata", source_instance},
};

static int ask_source(const struct lookup *l, const char *name, const char *source,
		      struct aws_creds *out)
{
	struct aws_chain_options o = *l->o;
	struct buf skipped = BUF_INIT(SKIPPED_MAX_BYTES);
	int rc = -EINVAL;

	o.profile = NULL;
	for (size_t i = 0; i < ARRAY_LEN(credential_sources); i++)
		if (!strcasecmp(source, credential_sources[i].name))
			rc = credential_sources[i].ask(&o, out, &skipped, l->err);
	if (rc == -EINVAL)
		rc = aws_error_set(l->err, AWS_BAD_REQUEST,
				   "profile %s: credential_source %s is not known, expected "
				   "Environment, EcsContainer or Ec2InstanceMetadata",
				   name, source);
	else if (rc == -ENOENT)
		rc = aws_error_set(l->err, AWS_NO_CREDENTIALS,
				   "profile %s: credential_source %s gives nothing: %s", name,
				   source, buf_str(&skipped));
	buf_release(&skipped);
	return rc;
}

/* The credentials that may assume the profile's role. */
static int find_base(const struct lookup *l, const char *name, int depth, struct aws_creds *out)
{
	const char *from = profile_get(l->files, name, "source_profile");
	const char *source = profile_get(l->files, name, "credential_source");
	int rc;

	if (source)
		return ask_source(l, name, source, out);
	if (!from)
		return aws_error_set(l->err, AWS_BAD_REQUEST,
				     "profile %s has role_arn but neither source_profile nor "
				     "credential_source; add one",
				     name);
	if (strcmp(from, name))
		return resolve(l, from, depth + 1, out);
	rc = own_keys(l, name, out);
	return rc != -ENOENT ? rc
			     : aws_error_set(l->err, AWS_NO_CREDENTIALS,
					     "profile %s names itself as source_profile but has "
					     "no keys; add them",
					     name);
}

static int64_t duration_of(const struct lookup *l, const char *name)
{
	const char *text = profile_get(l->files, name, "duration_seconds");
	int64_t s;

	return text && unit_parse_i64(text, &s) == 0 ? s : 0;
}

static int assume_with_token(const struct lookup *l, const char *name, struct sts_role *role,
			     struct aws_creds *out)
{
	const char *path = profile_get(l->files, name, "web_identity_token_file");
	struct buf token = BUF_INIT(TOKEN_MAX_BYTES);
	int rc = source_read_token(path, &token);

	if (rc)
		rc = aws_error_set(l->err, AWS_NO_CREDENTIALS,
				   "profile %s: cannot read web_identity_token_file %s: %s", name,
				   path, strerror(-rc));
	role->web_identity_token = buf_str(&token);
	if (rc == 0)
		rc = source_assume(l->o, NULL, role, out, l->err);
	source_wipe(&token);
	return rc;
}

static int assume(const struct lookup *l, const char *name, int depth, struct aws_creds *out)
{
	const char *session = profile_get(l->files, name, "role_session_name");
	struct sts_role role = {
		.role_arn = profile_get(l->files, name, "role_arn"),
		.session_name = session ? session : l->o->session_name,
		.external_id = profile_get(l->files, name, "external_id"),
		.duration_s = duration_of(l, name),
	};
	struct aws_creds base = {0};
	int rc;

	if (profile_get(l->files, name, "web_identity_token_file"))
		return assume_with_token(l, name, &role, out);
	rc = find_base(l, name, depth, &base);
	if (rc == 0)
		rc = source_assume(l->o, &base, &role, out, l->err);
	aws_creds_release(&base);
	return rc;
}

static int resolve(const struct lookup *l, const char *name, int depth, struct aws_creds *out)
{
	int rc;

	if (depth > CHAIN_DEPTH_MAX)
		return aws_error_set(l->err, AWS_BAD_REQUEST,
				     "profile %s: source_profile goes round in circles", name);
	if (profile_get(l->files, name, "role_arn"))
		return assume(l, name, depth, out);
	rc = own_keys(l, name, out);
	if (rc != -ENOENT || depth == 0)
		return rc;
	return aws_error_set(l->err, AWS_NO_CREDENTIALS,
			     "profile %s, named as source_profile, has no keys; add them", name);
}

/* Ways of the SDKs that are not read here; said when a profile has nothing else. */
static const char *unread_way(const struct lookup *l, const char *name)
{
	static const char *const ways[] = {"credential_process", "sso_session", "sso_start_url",
					   "login_session"};

	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		if (profile_get(l->files, name, ways[i]))
			return ways[i];
	return NULL;
}

static int not_in_profile(const struct lookup *l, const char *name, struct buf *skipped)
{
	const char *way = unread_way(l, name);

	if (way)
		return aws_error_set(l->err, AWS_NO_CREDENTIALS,
				     "profile %s uses %s, which Plimsoll does not read; run eval "
				     "\"$(aws configure export-credentials --profile %s --format "
				     "env)\" first",
				     name, way, name);
	if (l->o->profile && !profile_exists(l->files, name))
		return aws_error_set(
			l->err, AWS_NO_CREDENTIALS,
			"profile %s is neither in %s nor in %s; correct profile: or "
			"add it there",
			name, l->files->config_path ? l->files->config_path : "(no HOME)",
			l->files->credentials_path ? l->files->credentials_path : "(no HOME)");
	if (l->o->profile)
		return aws_error_set(l->err, AWS_NO_CREDENTIALS,
				     "profile %s holds no credentials; add aws_access_key_id or "
				     "role_arn",
				     name);
	buf_addf(skipped, ", profile %s has no keys", name);
	return -ENOENT;
}

int source_profile(const struct aws_chain_options *o, struct aws_creds *out, struct buf *skipped,
		   struct aws_error *err)
{
	struct profiles files;
	struct lookup l = {.o = o, .files = &files, .err = err};
	const char *name = profile_name(o->profile);
	int rc = profiles_load(&files, err);

	if (rc)
		return rc;
	rc = resolve(&l, name, 0, out);
	if (rc == -ENOENT)
		rc = not_in_profile(&l, name, skipped);
	profiles_release(&files);
	return rc;
}
