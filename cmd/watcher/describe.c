#include "cmd/watcher/describe.h"

#include <string.h>

#include "common/digest/digest.h"

static struct json *causes_of(const struct description *d)
{
	struct json *list = json_arr();

	if (d->is_manual)
		json_push(list, json_new_str("manual"));
	else if (d->is_first_seen)
		json_push(list, json_new_str("first-seen"));
	for (unsigned c = 0; c < CAUSE_COUNT && !d->is_manual && !d->is_first_seen; c++)
		if (d->causes & (1u << c))
			json_push(list, json_new_str(cause_name((enum cause)c)));
	return list;
}

static struct json *change_of(const struct description *d, const char *id)
{
	struct json *o = json_obj();
	char when[WALL_RFC3339_SIZE];

	json_put_str(o, "id", id);
	json_put_str(o, "kind", d->kind);
	json_put(o, "causes", causes_of(d));
	json_put_str(o, "revision", d->revision);
	json_put_str(o, "seen_by", d->is_manual ? "manual" : "poll");
	if (d->function->modified_at.ns) {
		wall_format_rfc3339(d->function->modified_at, when);
		json_put_str(o, "changed_at", when);
	}
	if (d->is_first_seen)
		json_put_bool(o, "first_seen", true);
	return o;
}

static struct json *target_of(const struct description *d)
{
	const struct lambda_function *f = d->function;
	struct json *o = json_obj();
	char sha256[65];

	known_config_sha256(f, sha256);
	json_put_str(o, "provider", "aws");
	json_put_str(o, "region", d->region);
	json_put_str(o, "function", f->name);
	json_put_str(o, "arn", f->arn);
	json_put_str(o, "qualifier", f->version);
	json_put_bool(o, "is_immutable", d->is_immutable);
	json_put_str(o, "code_sha256", f->code_sha256);
	json_put_str(o, "config_sha256", sha256);
	json_put_int(o, "memory_bytes", f->memory_bytes);
	json_put_int(o, "timeout_ms", f->timeout_ms);
	json_put_str(o, "runtime", f->runtime);
	json_put_str(o, "arch", f->arch);
	json_put_str(o, "log_format", f->log_format);
	json_put_bool(o, "has_snapstart",
		      f->snapstart_apply_on && !strcmp(f->snapstart_apply_on, "PublishedVersions"));
	return o;
}

static void id_of(const struct description *d, char id[DIGEST_ID_SIZE])
{
	const char *parts[] = {d->subject, d->kind, d->revision};

	if (d->is_manual)
		digest_id_random('c', id);
	else
		digest_id('c', parts, ARRAY_LEN(parts), id);
}

int describe_changed(struct stage *st, struct description *d)
{
	struct json *data = json_obj();
	char id[DIGEST_ID_SIZE];

	id_of(d, id);
	json_put(data, "change", change_of(d, id));
	json_put(data, "target", target_of(d));
	if (d->candidates_take)
		json_put(data, "candidates", d->candidates_take);
	if (d->limits_take)
		json_put(data, "limits", d->limits_take);
	d->candidates_take = d->limits_take = NULL;
	return stage_emit_new(st, EV_FUNCTION_CHANGED, id, d->subject, NULL, wall_now(), data);
}

int describe_http(struct stage *st, const char *subject, const char *url)
{
	struct json *data = json_obj(), *change = json_obj(), *target = json_obj();
	struct json *causes = json_arr();
	char id[DIGEST_ID_SIZE];

	digest_id_random('c', id);
	json_put_str(change, "id", id);
	json_put_str(change, "kind", "manual");
	json_push(causes, json_new_str("manual"));
	json_put(change, "causes", causes);
	json_put_str(change, "seen_by", "manual");
	json_put_str(target, "provider", "http");
	json_put_str(target, "url", url);
	json_put_bool(target, "is_immutable", false);
	json_put(data, "change", change);
	json_put(data, "target", target);
	json_put(data, "candidates", json_arr());
	return stage_emit_new(st, EV_FUNCTION_CHANGED, id, subject, NULL, wall_now(), data);
}

int describe_removed(struct stage *st, const char *subject, const char *revision)
{
	const char *parts[] = {subject, "removed", revision ? revision : ""};
	struct json *data = json_obj(), *change = json_obj(), *causes = json_arr();
	char id[DIGEST_ID_SIZE];

	digest_id('c', parts, ARRAY_LEN(parts), id);
	json_put_str(change, "id", id);
	json_put_str(change, "kind", "removed");
	json_push(causes, json_new_str("removed"));
	json_put(change, "causes", causes);
	json_put_str(change, "revision", revision);
	json_put_str(change, "seen_by", "poll");
	json_put(data, "change", change);
	return stage_emit_new(st, EV_FUNCTION_REMOVED, id, subject, NULL, wall_now(), data);
}
