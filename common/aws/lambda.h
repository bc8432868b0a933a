/*
 * lambda.h - the control-plane calls to AWS Lambda that Plimsoll makes (rank 3).
 *
 * Invoke is not here: the loader's engine does that.
 *
 *	struct lambda_list list = {0};
 *	rc = lambda_list_functions(c, &list, &err);
 *	for (size_t i = 0; i < list.count; i++)
 *		see(&list.items[i]);
 *	lambda_list_release(&list);
 *
 * Functions are named by name or ARN. Calls block (see aws.h) and return 0 or a negative errno
 * with err filled: -ENOENT (AWS_NOT_FOUND) for an unknown function or version.
 */
#ifndef PLIMSOLL_AWS_LAMBDA_H
#define PLIMSOLL_AWS_LAMBDA_H

#include "common/aws/aws.h"
#include "common/json/json.h"

#define LAMBDA_LIST_MAX 100000 /* functions or versions; more is AWS_BAD_ANSWER */

/* A function or a version of it. Strings are owned and NULL when the answer has none: a list
 * carries no state, last_update_status nor reasons. */
struct lambda_function {
	char *name, *arn, *version;	   /* "$LATEST" or a number */
	char *code_sha256;		   /* base64, as the service gives it */
	char *config_sha256;		   /* only where the service gives it */
	char *revision_id, *last_modified; /* last_modified as given */
	struct wall modified_at;	   /* the same, read; ns 0 = unreadable */
	char *state, *state_reason, *last_update_status, *last_update_reason;
	char *runtime, *handler, *arch, *package_type; /* arch "x86_64" when not said */
	char *log_format;			       /* "Text" when not said */
	char *log_group;			       /* NULL when not said: /aws/lambda/NAME */
	char *snapstart_apply_on;		       /* "None", "PublishedVersions" */
	char *role, *description;		       /* description "" when not said */
	int64_t memory_bytes, timeout_ms;
	/* Hashes, so that no environment value is ever kept. "" = there is none. */
	char environment_sha256[65], layers_sha256[65];
	/* Of what may be edited without a change of behaviour that we compare: description, role,
	 * network, tracing and the like. */
	char edits_sha256[65];
};
void lambda_function_release(struct lambda_function *f);
/* State Active (or absent or Inactive) and LastUpdateStatus Successful (or absent). */
bool lambda_is_ready(const struct lambda_function *f);
/* State or LastUpdateStatus Failed: waiting is of no use. */
bool lambda_is_failed(const struct lambda_function *f);
/* From a FunctionConfiguration object. -EINVAL when it has no name or no ARN. */
MUST_CHECK int lambda_function_parse(const struct json *v, struct lambda_function *out);

struct lambda_list {
	struct lambda_function *items;
	size_t count, cap;
};
void lambda_list_release(struct lambda_list *l);

/*
 * One page (50 at most) is appended to l; marker NULL = the first. *next_marker is NULL at the end,
 * else the caller frees it. On an error l and *next_marker are as before.
 */
MUST_CHECK int lambda_list_page(struct aws_client *c, const char *marker, struct lambda_list *l,
				char **next_marker, struct aws_error *err);
/* All pages; on an error l is empty: a half inventory deletes nothing. */
MUST_CHECK int lambda_list_functions(struct aws_client *c, struct lambda_list *l,
				     struct aws_error *err);
/* All versions, "$LATEST" among them, in the service's order (oldest first). */
MUST_CHECK int lambda_list_versions(struct aws_client *c, const char *function,
				    struct lambda_list *l, struct aws_error *err);
/* qualifier NULL = $LATEST. */
MUST_CHECK int lambda_get_configuration(struct aws_client *c, const char *function,
					const char *qualifier, struct lambda_function *out,
					struct aws_error *err);
/* Makes no new version when code and configuration are unchanged; out is the version either way.
 * code_sha256 (may be NULL): refused by the service when the code is another by now. */
MUST_CHECK int lambda_publish_version(struct aws_client *c, const char *function,
				      const char *code_sha256, const char *description,
				      struct lambda_function *out, struct aws_error *err);
/* Edits nothing but the description of $LATEST. revision_id (may be NULL): AWS_CONFLICT when it was
 * touched since that. */
MUST_CHECK int lambda_update_description(struct aws_client *c, const char *function,
					 const char *revision_id, const char *description,
					 struct lambda_function *out, struct aws_error *err);
/* Removes one version. qualifier must be a number: a bug otherwise, since without one AWS
 * removes the whole function. AWS_CONFLICT: an alias holds it. */
MUST_CHECK int lambda_delete_version(struct aws_client *c, const char *function,
				     const char *qualifier, struct aws_error *err);

struct lambda_alias {
	char *name, *version, *revision_id;
};
struct lambda_aliases {
	struct lambda_alias *items;
	size_t count, cap;
};
void lambda_aliases_release(struct lambda_aliases *a);
MUST_CHECK int lambda_list_aliases(struct aws_client *c, const char *function,
				   struct lambda_aliases *out, struct aws_error *err);

struct lambda_account {
	int64_t concurrent, unreserved; /* executions; -1 = the service did not say */
};
MUST_CHECK int lambda_get_account(struct aws_client *c, struct lambda_account *out,
				  struct aws_error *err);
/* Reserved concurrency, or -1 when none is set. */
MUST_CHECK int lambda_get_concurrency(struct aws_client *c, const char *function, int64_t *out,
				      struct aws_error *err);

/* "f", "f:1", "123456789012:function:f", a full ARN with or without qualifier -> the bare name. */
MUST_CHECK int lambda_bare_name(const char *name_or_arn, char *out, size_t out_size);

#endif
