#include "common/aws/lambda.h"

#include <ctype.h>
#include <errno.h>

#define ANSWER_MAX_BYTES HTTP_BODY_MAX_BYTES
#define PAGE "50"
#define PAGES_MAX 10000

/* One call of this API; the parts of path and query that hold names are encoded here. */
struct call {
	const char *what, *permission, *method;
	const char *base, *function, *tail; /* base/function/tail; function NULL = base alone */
	const char *marker, *qualifier;	    /* query parameters; NULL = none */
	const char *max_items;
	const struct json *body; /* NULL = none */
	bool is_once;
};

static void add_param(struct buf *query, const char *name, const char *value)
{
	if (!value)
		return;
	buf_addf(query, "%s%s=", query->len_bytes ? "&" : "", name);
	http_encode(value, strlen(value), "", query);
}

static int bad_answer(const struct call *c, const char *why, struct aws_error *err)
{
	return aws_error_set(err, AWS_BAD_ANSWER,
			     "cannot %s: the answer is of no use (%s); check that the endpoint is "
			     "Lambda's",
			     c->what, why);
}

/* *out is the answer's JSON, NULL for an empty body. */
static int do_call(struct aws_client *client, const struct call *c, struct json **out,
		   struct aws_error *err)
{
	struct buf path = BUF_INIT(16384), query = BUF_INIT(16384);
	struct buf body = BUF_INIT(ANSWER_MAX_BYTES);
	struct http_response r = HTTP_RESPONSE_INIT;
	char why[JSON_WHY_SIZE];
	int rc;

	buf_adds(&path, c->base);
	if (c->function) {
		buf_addc(&path, '/');
		http_encode(c->function, strlen(c->function), "", &path);
		buf_adds(&path, c->tail ? c->tail : "");
	}
	add_param(&query, "Marker", c->marker);
	add_param(&query, "MaxItems", c->max_items);
	add_param(&query, "Qualifier", c->qualifier);
	if (c->body)
		json_write(c->body, &body);
	rc = aws_call(client,
		      &(struct aws_request){.service = AWS_LAMBDA,
					    .what = c->what,
					    .permission = c->permission,
					    .method = c->method,
					    .path = buf_str(&path),
					    .query = buf_str(&query),
					    .content_type = c->body ? "application/json" : NULL,
					    .body = c->body ? buf_str(&body) : NULL,
					    .body_bytes = body.len_bytes,
					    .is_once = c->is_once},
		      &r, err);
	*out = NULL;
	if (rc == 0 && r.body.len_bytes &&
	    json_parse(buf_str(&r.body), r.body.len_bytes, ANSWER_MAX_BYTES, out, why) != 0)
		rc = bad_answer(c, why, err);
	http_response_release(&r);
	buf_release(&path);
	buf_release(&query);
	buf_release(&body);
	return rc;
}

static void push(struct lambda_list *l, const struct lambda_function *f)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->items = x_realloc(l->items, l->cap, sizeof(*l->items));
	}
	l->items[l->count++] = *f;
}

static void truncate_list(struct lambda_list *l, size_t count)
{
	while (l->count > count)
		lambda_function_release(&l->items[--l->count]);
}

/* A page of functions or versions: the array under key, and the marker of the next page. */
static int take_page(struct aws_client *client, const struct call *c, const char *key,
		     struct lambda_list *l, char **next_marker, struct aws_error *err)
{
	size_t before = l->count;
	struct json *v;
	const struct json *items;
	const char *next;
	int rc = do_call(client, c, &v, err);

	if (rc)
		return rc;
	items = json_get(v, key);
	next = json_get_str(v, "NextMarker");
	if (!json_is(items, JSON_T_ARR))
		rc = bad_answer(c, "it has no list", err);
	for (size_t i = 0; rc == 0 && i < json_len(items); i++) {
		struct lambda_function f;

		if (lambda_function_parse(json_elem(items, i), &f) != 0)
			rc = bad_answer(c, "a function has no name or ARN", err);
		else
			push(l, &f);
	}
	if (rc == 0 && l->count > LAMBDA_LIST_MAX)
		rc = bad_answer(c, "the list has no end", err);
	if (rc)
		truncate_list(l, before);
	else
		*next_marker = next && *next ? x_strdup(next) : NULL;
	json_free(v);
	return rc;
}

static int take_all(struct aws_client *client, struct call *c, const char *key,
		    struct lambda_list *l, struct aws_error *err)
{
	char *marker = NULL, *next = NULL;
	int rc, pages = 0;

	do {
		c->marker = marker;
		rc = take_page(client, c, key, l, &next, err);
		free(marker);
		marker = rc == 0 ? next : NULL;
	} while (marker && ++pages < PAGES_MAX);
	if (marker)
		rc = bad_answer(c, "the list has no end", err);
	free(marker);
	if (rc)
		lambda_list_release(l);
	return rc;
}

static struct call list_call(void)
{
	return (struct call){.what = "list the functions",
			     .permission = "lambda:ListFunctions",
			     .method = "GET",
			     .base = "/2015-03-31/functions",
			     .max_items = PAGE};
}

int lambda_list_page(struct aws_client *c, const char *marker, struct lambda_list *l,
		     char **next_marker, struct aws_error *err)
{
	struct call call = list_call();

	call.marker = marker;
	return take_page(c, &call, "Functions", l, next_marker, err);
}

int lambda_list_functions(struct aws_client *c, struct lambda_list *l, struct aws_error *err)
{
	struct call call = list_call();

	return take_all(c, &call, "Functions", l, err);
}

int lambda_list_versions(struct aws_client *c, const char *function, struct lambda_list *l,
			 struct aws_error *err)
{
	char *what = x_asprintf("list the versions of %s", function);
	struct call call = {.what = what,
			    .permission = "lambda:ListVersionsByFunction",
			    .method = "GET",
			    .base = "/2015-03-31/functions",
			    .function = function,
			    .tail = "/versions",
			    .max_items = PAGE};
	int rc = take_all(c, &call, "Versions", l, err);

	free(what);
	return rc;
}

static int take_function(struct aws_client *client, const struct call *c,
			 struct lambda_function *out, struct aws_error *err)
{
	struct json *v;
	int rc = do_call(client, c, &v, err);

	if (rc == 0 && lambda_function_parse(v, out) != 0)
		rc = bad_answer(c, "it describes no function", err);
	json_free(v);
	return rc;
}

int lambda_get_configuration(struct aws_client *c, const char *function, const char *qualifier,
			     struct lambda_function *out, struct aws_error *err)
{
	char *what = x_asprintf("read the configuration of %s", function);
	struct call call = {.what = what,
			    .permission = "lambda:GetFunctionConfiguration",
			    .method = "GET",
			    .base = "/2015-03-31/functions",
			    .function = function,
			    .tail = "/configuration",
			    .qualifier = qualifier};
	int rc = take_function(c, &call, out, err);

	free(what);
	return rc;
}

int lambda_publish_version(struct aws_client *c, const char *function, const char *code_sha256,
			   const char *description, struct lambda_function *out,
			   struct aws_error *err)
{
	char *what = x_asprintf("publish a version of %s", function);
	struct json *body = json_obj();
	struct call call = {.what = what,
			    .permission = "lambda:PublishVersion",
			    .method = "POST",
			    .base = "/2015-03-31/functions",
			    .function = function,
			    .tail = "/versions",
			    .body = body};
	int rc;

	json_put_str(body, "CodeSha256", code_sha256);
	json_put_str(body, "Description", description);
	rc = take_function(c, &call, out, err);
	json_free(body);
	free(what);
	return rc;
}

int lambda_update_description(struct aws_client *c, const char *function, const char *revision_id,
			      const char *description, struct lambda_function *out,
			      struct aws_error *err)
{
	char *what = x_asprintf("edit the description of %s", function);
	struct json *body = json_obj();
	struct call call = {.what = what,
			    .permission = "lambda:UpdateFunctionConfiguration",
			    .method = "PUT",
			    .base = "/2015-03-31/functions",
			    .function = function,
			    .tail = "/configuration",
			    .body = body};
	int rc;

	json_put_str(body, "Description", description);
	json_put_str(body, "RevisionId", revision_id);
	rc = take_function(c, &call, out, err);
	json_free(body);
	free(what);
	return rc;
}

static bool is_version_number(const char *text)
{
	size_t len = text ? strspn(text, "0123456789") : 0;

	return len > 0 && text[len] == '\0';
}

int lambda_delete_version(struct aws_client *c, const char *function, const char *qualifier,
			  struct aws_error *err)
{
	char *what = x_asprintf("delete version %s of %s", qualifier, function);
	struct call call = {.what = what,
			    .permission = "lambda:DeleteFunction",
			    .method = "DELETE",
			    .base = "/2015-03-31/functions",
			    .function = function,
			    .qualifier = qualifier};
	struct json *v;
	int rc;

	BUG_ON(!is_version_number(qualifier)); /* without one the whole function would go */
	BUG_ON(!*function);
	rc = do_call(c, &call, &v, err);
	json_free(v);
	free(what);
	return rc;
}

static int push_alias(struct lambda_aliases *a, const struct json *v)
{
	const char *name = json_get_str(v, "Name"), *version = json_get_str(v, "FunctionVersion");
	const char *revision = json_get_str(v, "RevisionId");

	if (!name || !version)
		return -EINVAL;
	if (a->count == a->cap) {
		a->cap = a->cap ? a->cap * 2 : 8;
		a->items = x_realloc(a->items, a->cap, sizeof(*a->items));
	}
	a->items[a->count++] = (struct lambda_alias){
		.name = x_strdup(name),
		.version = x_strdup(version),
		.revision_id = revision ? x_strdup(revision) : NULL,
	};
	return 0;
}

static int take_aliases(struct aws_client *client, struct call *c, struct lambda_aliases *out,
			char **next_marker, struct aws_error *err)
{
	struct json *v;
	const struct json *items;
	const char *next;
	int rc = do_call(client, c, &v, err);

	*next_marker = NULL;
	if (rc)
		return rc;
	items = json_get(v, "Aliases");
	next = json_get_str(v, "NextMarker");
	for (size_t i = 0; rc == 0 && i < json_len(items); i++)
		if (push_alias(out, json_elem(items, i)) != 0)
			rc = bad_answer(c, "an alias has no name or version", err);
	if (rc == 0 && out->count > LAMBDA_LIST_MAX)
		rc = bad_answer(c, "the list has no end", err);
	if (rc == 0 && next && *next)
		*next_marker = x_strdup(next);
	json_free(v);
	return rc;
}

int lambda_list_aliases(struct aws_client *c, const char *function, struct lambda_aliases *out,
			struct aws_error *err)
{
	char *what = x_asprintf("list the aliases of %s", function);
	struct call call = {.what = what,
			    .permission = "lambda:ListAliases",
			    .method = "GET",
			    .base = "/2015-03-31/functions",
			    .function = function,
			    .tail = "/aliases",
			    .max_items = PAGE};
	char *marker = NULL, *next = NULL;
	int rc, pages = 0;

	do {
		call.marker = marker;
		rc = take_aliases(c, &call, out, &next, err);
		free(marker);
		marker = next;
	} while (marker && ++pages < PAGES_MAX);
	if (marker)
		rc = bad_answer(&call, "the list has no end", err);
	free(marker);
	if (rc)
		lambda_aliases_release(out);
	free(what);
	return rc;
}

int lambda_get_account(struct aws_client *c, struct lambda_account *out, struct aws_error *err)
{
	struct call call = {.what = "read the concurrency limits",
			    .permission = "lambda:GetAccountSettings",
			    .method = "GET",
			    .base = "/2016-08-19/account-settings"};
	struct json *v;
	int rc = do_call(c, &call, &v, err);

	if (rc)
		return rc;
	out->concurrent = json_get_int(json_get(v, "AccountLimit"), "ConcurrentExecutions", -1);
	out->unreserved =
		json_get_int(json_get(v, "AccountLimit"), "UnreservedConcurrentExecutions", -1);
	json_free(v);
	return 0;
}

int lambda_get_concurrency(struct aws_client *c, const char *function, int64_t *out,
			   struct aws_error *err)
{
	char *what = x_asprintf("read the reserved concurrency of %s", function);
	struct call call = {.what = what,
			    .permission = "lambda:GetFunctionConcurrency",
			    .method = "GET",
			    .base = "/2019-09-30/functions",
			    .function = function,
			    .tail = "/concurrency"};
	struct json *v;
	int rc = do_call(c, &call, &v, err);

	if (rc == 0)
		*out = json_get_int(v, "ReservedConcurrentExecutions", -1);
	json_free(v);
	free(what);
	return rc;
}
