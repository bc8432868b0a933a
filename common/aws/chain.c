#include <errno.h>

#include "common/aws/sources.h"
#include "common/aws/sts.h"
#include "common/base/log.h"
#include "common/config/config.h"

#define DURATION_S 3600
#define RETRY_MAX_NS (30 * NS_PER_S)

struct aws_chain {
	struct aws_chain_options o;
	char *strings[7]; /* what o points to */
	struct aws_creds now;
	bool has_creds, is_forced;
	struct mono next_try; /* after a renewal that failed while the old ones still held */
};

struct aws_chain *aws_chain_new(const struct aws_chain_options *o)
{
	struct aws_chain *ch = x_calloc(1, sizeof(*ch));
	const char **members[] = {&ch->o.region, &ch->o.profile,     &ch->o.endpoint,
				  &ch->o.role,	 &ch->o.external_id, &ch->o.session_name,
				  &ch->o.policy};

	ch->o = *o;
	if (!ch->o.session_name)
		ch->o.session_name = "plimsoll";
	if (!ch->o.duration_s)
		ch->o.duration_s = DURATION_S;
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (!*members[i])
			continue;
		ch->strings[i] = x_strdup(*members[i]);
		*members[i] = ch->strings[i];
	}
	return ch;
}

void aws_chain_free(struct aws_chain *ch)
{
	if (!ch)
		return;
	aws_creds_release(&ch->now);
	for (size_t i = 0; i < ARRAY_LEN(ch->strings); i++)
		free(ch->strings[i]);
	free(ch);
}

/* The account's role on top of the chain's credentials. */
static int assume(const struct aws_chain *ch, const struct aws_creds *base, struct aws_creds *out,
		  struct aws_error *err)
{
	char *external_id = NULL, why[200];
	struct sts_role role = {.role_arn = ch->o.role,
				.session_name = ch->o.session_name,
				.policy = ch->o.policy,
				.duration_s = ch->o.duration_s};
	int rc = 0;

	if (ch->o.external_id && config_secret(ch->o.external_id, &external_id, why) != 0)
		return aws_error_set(err, AWS_BAD_REQUEST, "cannot read external_id: %s", why);
	role.external_id = external_id;
	rc = source_assume(&ch->o, base, &role, out, err);
	if (external_id)
		digest_wipe(external_id, strlen(external_id));
	free(external_id);
	return rc;
}

static int fetch(struct aws_chain *ch, struct aws_creds *out, struct aws_error *err)
{
	struct aws_creds base = {0};
	int rc = sources_ask(&ch->o, &base, err);

	if (rc == 0 && ch->o.role)
		rc = assume(ch, &base, out, err);
	else if (rc == 0)
		aws_creds_move(out, &base);
	aws_creds_release(&base);
	return rc;
}

static bool is_needed(const struct aws_chain *ch)
{
	return !ch->has_creds || ch->is_forced ||
	       (aws_creds_want_renewal(&ch->now, wall_now()) &&
		!mono_is_before(mono_now(), ch->next_try));
}

/* A renewal failed: true when the old credentials carry us on. */
static bool is_still_good(struct aws_chain *ch, const struct aws_error *err)
{
	static struct log_limit limit;
	int64_t left_ns = wall_diff_ns(ch->now.expires, wall_now());

	if (!ch->has_creds || ch->is_forced || left_ns <= 0 || err->fault == AWS_STOPPED)
		return false;
	log_limited(&limit, LOG_WARN,
		    "credentials cannot be renewed; the old ones hold for another %lld s: %s",
		    (long long)(left_ns / NS_PER_S), err->text);
	ch->next_try = mono_add_ns(mono_now(), MIN_OF(RETRY_MAX_NS, left_ns / 4));
	return true;
}

int aws_chain_get(struct aws_chain *ch, const struct aws_creds **out, struct aws_error *err)
{
	struct aws_creds fresh = {0};
	struct aws_error local = {0};
	int rc = 0;

	err = err ? err : &local;
	if (is_needed(ch)) {
		rc = fetch(ch, &fresh, err);
		if (rc == 0) {
			aws_creds_move(&ch->now, &fresh);
			ch->has_creds = true;
			ch->is_forced = false;
		} else if (is_still_good(ch, err)) {
			rc = 0;
		}
	}
	if (rc == 0)
		*out = &ch->now;
	return rc;
}

void aws_chain_expire(struct aws_chain *ch)
{
	ch->is_forced = true;
}
