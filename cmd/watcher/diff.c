#include "cmd/watcher/diff.h"

#include <string.h>

static bool is_other(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") != 0;
}

bool diff_is_touched(const struct known *old, const struct lambda_function *now)
{
	/* Not every service that speaks this API has revisions: code and date are looked at too. */
	return old->owed || is_other(old->revision, known_revision_of(now)) ||
	       is_other(old->settings.code_sha256, now->code_sha256) ||
	       is_other(old->last_modified, now->last_modified);
}

uint32_t diff_causes(const struct known *old, const struct lambda_function *now)
{
	const struct settings *s = &old->settings;
	const struct {
		enum cause cause;
		bool is_other;
	} rows[] = {
		{CAUSE_CODE, is_other(s->code_sha256, now->code_sha256)},
		{CAUSE_CODE, is_other(s->handler, now->handler)},
		{CAUSE_CODE, is_other(s->package_type, now->package_type)},
		{CAUSE_RUNTIME, is_other(s->runtime, now->runtime)},
		{CAUSE_MEMORY, s->memory_bytes != now->memory_bytes},
		{CAUSE_TIMEOUT, s->timeout_ms != now->timeout_ms},
		{CAUSE_ENVIRONMENT, is_other(s->environment_sha256, now->environment_sha256)},
		{CAUSE_LAYERS, is_other(s->layers_sha256, now->layers_sha256)},
		{CAUSE_ARCHITECTURE, is_other(s->arch, now->arch)},
		{CAUSE_SNAPSTART, is_other(s->snapstart, now->snapstart_apply_on)},
	};
	uint32_t causes = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].is_other)
			causes |= DIFF_BIT(rows[i].cause);
	return causes;
}

bool diff_is_deployed_again(const struct known *old, const struct lambda_function *now)
{
	if (!is_other(old->revision, known_revision_of(now)))
		return false; /* back after a list that had left it out */
	if (old->was_missing)
		return true;
	return is_other(old->last_modified, now->last_modified) &&
	       !is_other(old->edits_sha256, now->edits_sha256);
}

const char *diff_kind(uint32_t causes)
{
	if (causes & DIFF_BIT(CAUSE_ADDED))
		return "added";
	if (causes & DIFF_BIT(CAUSE_ALIAS))
		return "alias";
	return causes & DIFF_BIT(CAUSE_CODE) ? "code" : "config";
}

int64_t diff_quiet_left_ms(struct wall modified_at, struct wall now, int64_t quiet_ms)
{
	int64_t ago_ms = MAX_OF(0, wall_diff_ns(now, modified_at) / NS_PER_MS);

	return ago_ms < quiet_ms ? quiet_ms - ago_ms : 0;
}

enum diff_gone diff_gone(const struct known *old, struct wall now, int64_t not_found_after_ms)
{
	if (!old->missing_since_ms)
		return DIFF_GONE_REMEMBER;
	if (wall_ms(now) - old->missing_since_ms < not_found_after_ms)
		return DIFF_GONE_WAIT;
	return DIFF_GONE_CONFIRM;
}
