#include "cmd/watcher/copies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/watcher/versions.h"
#include "common/base/log.h"

#define DESCRIPTION "copy published by Plimsoll"

static bool is_member(const struct json *o, const char *member, const char *text)
{
	const char *v = json_get_str(o, member);

	return v && !strcmp(v, text ? text : "");
}

enum copy_step copies_next(const struct json *edit, const struct lambda_function *now)
{
	bool is_over = json_get_bool(edit, "is_over", false);

	if (!edit)
		return COPY_NONE;
	if (is_member(edit, "is", now->description)) {
		if (!lambda_is_ready(now))
			return COPY_WAIT;
		if (is_over)
			return COPY_RESTORE;
		return is_member(edit, "code_sha256", now->code_sha256) ? COPY_PUBLISH
									: COPY_GIVE_UP;
	}
	if (is_over || !is_member(edit, "was", now->description))
		return lambda_is_ready(now) ? COPY_DONE : COPY_WAIT;
	return lambda_is_ready(now) ? COPY_EDIT : COPY_WAIT;
}

/* Somebody else was faster, or an update is under way: what is there now decides. */
static int soon(int rc, const struct aws_error *err)
{
	return rc == 0 || err->fault == AWS_CONFLICT ? -EAGAIN : rc;
}

static int set_description(struct account *a, const char *name, const struct json *doc,
			   const char *member, const struct lambda_function *now,
			   struct aws_error *err)
{
	const char *text = json_get_str(json_get(doc, "edit"), member);
	struct lambda_function after = {0};
	char *subject = account_subject(a, name);
	int rc = lambda_update_description(a->client, account_cloud_name(a, name), now->revision_id,
					   text ? text : "", &after, err);

	if (rc == 0) {
		struct json *fresh = versions_doc(a->st, subject);

		json_put_str(fresh, "edited_at", after.last_modified);
		versions_put_doc(a->st, subject, fresh);
	}
	lambda_function_release(&after);
	free(subject);
	return soon(rc, err);
}

/* The document after a publish, or after there was none: put back is all that is left. */
static void put_over(struct account *a, const char *name, const char *version)
{
	char *subject = account_subject(a, name);
	struct json *doc = versions_doc(a->st, subject), *edit = json_get(doc, "edit");
	struct json *copies = json_get(doc, "copies");

	if (version)
		versions_add(doc, version);
	if (version && json_get_bool(edit, "is_for_calibrate", false)) {
		copies = copies ? json_ref(copies) : json_arr();
		json_push(copies, json_new_str(version));
		json_put(doc, "copies", copies);
	}
	json_put_bool(edit, "is_over", true);
	versions_put_doc(a->st, subject, doc);
	free(subject);
}

static int publish(struct account *a, const char *name, const struct lambda_function *now,
		   struct aws_error *err)
{
	struct lambda_function v = {0};
	int rc = lambda_publish_version(a->client, account_cloud_name(a, name), now->code_sha256,
					DESCRIPTION, &v, err);

	if (rc && err->fault != AWS_DENIED && err->fault != AWS_BAD_REQUEST)
		return soon(rc, err);
	if (rc)
		log_warn("%s; there is no copy", err->text);
	put_over(a, name, rc ? NULL : v.version);
	lambda_function_release(&v);
	return -EAGAIN;
}

static void forget_edit(struct account *a, const char *name)
{
	char *subject = account_subject(a, name);
	struct json *doc = versions_doc(a->st, subject);

	json_del(doc, "edit");
	versions_put_doc(a->st, subject, doc);
	free(subject);
}

int copies_go_on(struct account *a, const char *name, const struct lambda_function *now,
		 struct aws_error *err)
{
	char *subject = account_subject(a, name);
	struct json *doc = versions_doc(a->st, subject);
	int rc = 0;

	switch (copies_next(json_get(doc, "edit"), now)) {
	case COPY_NONE:
		break;
	case COPY_EDIT:
		rc = set_description(a, name, doc, "is", now, err);
		if (rc && rc != -EAGAIN)
			forget_edit(a, name);
		break;
	case COPY_WAIT:
		rc = -EAGAIN;
		break;
	case COPY_PUBLISH:
		rc = publish(a, name, now, err);
		break;
	case COPY_GIVE_UP:
		put_over(a, name, NULL);
		rc = -EAGAIN;
		break;
	case COPY_RESTORE:
		rc = set_description(a, name, doc, "was", now, err);
		break;
	case COPY_DONE:
		forget_edit(a, name);
		break;
	}
	json_free(doc);
	free(subject);
	return rc;
}

void copies_begin(struct account *a, const char *name, const struct lambda_function *now,
		  bool is_for_calibrate)
{
	char *subject = account_subject(a, name), when[WALL_RFC3339_SIZE], is[128];
	struct json *doc = versions_doc(a->st, subject), *edit = json_obj();

	wall_format_rfc3339(wall_now(), when);
	snprintf(is, sizeof(is), "%s, %s: put back in a moment", DESCRIPTION, when);
	json_put_str(edit, "was", now->description);
	json_put_str(edit, "is", is);
	json_put_str(edit, "code_sha256", now->code_sha256);
	json_put_bool(edit, "is_for_calibrate", is_for_calibrate);
	json_put(doc, "edit", edit);
	versions_put_doc(a->st, subject, doc);
	free(subject);
}

bool copies_were_ours(struct account *a, const char *name, const struct lambda_function *now)
{
	char *subject = account_subject(a, name);
	struct json *doc = versions_doc(a->st, subject);
	bool is_ours = now->last_modified && is_member(doc, "edited_at", now->last_modified);

	json_free(doc);
	free(subject);
	return is_ours;
}

size_t copies_count(const struct lambda_list *versions, const struct lambda_function *f)
{
	size_t count = 0;

	for (size_t i = 0; i < versions->count; i++)
		count += versions_is_equal(&versions->items[i], f);
	return count;
}

int copies_drop(struct account *a, const char *name, struct aws_error *err)
{
	char *subject = account_subject(a, name);
	struct json *doc = versions_doc(a->st, subject), *copies = json_get(doc, "copies");
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < json_len(copies); i++) {
		const char *version = json_str(json_elem(copies, i));

		rc = lambda_delete_version(a->client, account_cloud_name(a, name), version, err);
		if (rc && err->fault != AWS_NOT_FOUND)
			break;
		rc = 0;
		versions_forget(a->st, subject, version);
		log_info("%s: version %s, a copy of ours, is deleted", subject, version);
	}
	json_free(doc);
	free(subject);
	return rc;
}
