#include <errno.h>

#include "common/aws/lambda.h"
#include "common/digest/digest.h"

#define HASHED_MAX_BYTES (1024u * 1024u)
#define MIB INT64_C(1048576)

/* Where each string of the struct comes from; otherwise = when the answer does not say. */
static const struct {
	size_t offset;
	const char *path, *otherwise;
} texts[] = {
	{offsetof(struct lambda_function, name), "FunctionName", NULL},
	{offsetof(struct lambda_function, arn), "FunctionArn", NULL},
	{offsetof(struct lambda_function, version), "Version", "$LATEST"},
	{offsetof(struct lambda_function, code_sha256), "CodeSha256", NULL},
	{offsetof(struct lambda_function, config_sha256), "ConfigSha256", NULL},
	{offsetof(struct lambda_function, revision_id), "RevisionId", NULL},
	{offsetof(struct lambda_function, last_modified), "LastModified", NULL},
	{offsetof(struct lambda_function, state), "State", NULL},
	{offsetof(struct lambda_function, state_reason), "StateReason", NULL},
	{offsetof(struct lambda_function, last_update_status), "LastUpdateStatus", NULL},
	{offsetof(struct lambda_function, last_update_reason), "LastUpdateStatusReason", NULL},
	{offsetof(struct lambda_function, runtime), "Runtime", NULL},
	{offsetof(struct lambda_function, handler), "Handler", NULL},
	{offsetof(struct lambda_function, arch), "Architectures.0", "x86_64"},
	{offsetof(struct lambda_function, package_type), "PackageType", NULL},
	{offsetof(struct lambda_function, log_format), "LoggingConfig.LogFormat", "Text"},
	{offsetof(struct lambda_function, log_group), "LoggingConfig.LogGroup", NULL},
	{offsetof(struct lambda_function, snapstart_apply_on), "SnapStart.ApplyOn", NULL},
	{offsetof(struct lambda_function, role), "Role", NULL},
	{offsetof(struct lambda_function, description), "Description", ""},
};

static char **text_at(struct lambda_function *f, size_t i)
{
	return (char **)(void *)((char *)f + texts[i].offset);
}

void lambda_function_release(struct lambda_function *f)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		free(*text_at(f, i));
	*f = (struct lambda_function){0};
}

/* Of the value with sorted keys, so that equal settings give equal hashes. */
static void hash_value(const struct json *v, char out[65])
{
	struct buf text = BUF_INIT(HASHED_MAX_BYTES);

	out[0] = '\0';
	if (json_len(v) == 0)
		return;
	json_write_sorted(v, &text);
	digest_sha256_hex(buf_str(&text), text.len_bytes, out);
	if (text.data)
		digest_wipe(text.data, text.cap_bytes);
	buf_release(&text);
}

/* A layer is its ARN; its size is not a setting. */
static void hash_layers(const struct json *layers, char out[65])
{
	struct json *arns = json_arr();

	for (size_t i = 0; i < json_len(layers); i++)
		json_push(arns, json_new_str(json_get_str(json_elem(layers, i), "Arn")));
	hash_value(arns, out);
	json_free(arns);
}

/* Members that a description edit and its like touch, and a new deployment does not. */
static void hash_edits(const struct json *v, char out[65])
{
	static const char *const names[] = {
		"Description",	    "Role",	     "VpcConfig",
		"TracingConfig",    "LoggingConfig", "DeadLetterConfig",
		"EphemeralStorage", "KMSKeyArn",     "FileSystemConfigs"};
	struct json *edits = json_obj();

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct json *member = json_get(v, names[i]);

		if (member)
			json_put(edits, names[i], json_copy(member));
	}
	hash_value(edits, out);
	json_free(edits);
}

int lambda_function_parse(const struct json *v, struct lambda_function *out)
{
	*out = (struct lambda_function){0};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *text = json_str(json_at(v, texts[i].path));

		text = text ? text : texts[i].otherwise;
		*text_at(out, i) = text ? x_strdup(text) : NULL;
	}
	if (!out->name || !*out->name || !out->arn) {
		lambda_function_release(out);
		return -EINVAL;
	}
	if (out->last_modified && wall_parse_rfc3339(out->last_modified, &out->modified_at) != 0)
		out->modified_at = (struct wall){0};
	out->memory_bytes = json_get_int(v, "MemorySize", 0) * MIB;
	out->timeout_ms = json_get_int(v, "Timeout", 0) * MS_PER_S;
	hash_value(json_at(v, "Environment.Variables"), out->environment_sha256);
	hash_layers(json_get(v, "Layers"), out->layers_sha256);
	hash_edits(v, out->edits_sha256);
	return 0;
}

static bool is_word(const char *text, const char *word)
{
	return text && !strcmp(text, word);
}

bool lambda_is_ready(const struct lambda_function *f)
{
	bool is_active = !f->state || is_word(f->state, "Active") || is_word(f->state, "Inactive");

	return is_active &&
	       (!f->last_update_status || is_word(f->last_update_status, "Successful"));
}

bool lambda_is_failed(const struct lambda_function *f)
{
	return is_word(f->state, "Failed") || is_word(f->last_update_status, "Failed");
}

void lambda_list_release(struct lambda_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		lambda_function_release(&l->items[i]);
	free(l->items);
	*l = (struct lambda_list){0};
}

void lambda_aliases_release(struct lambda_aliases *a)
{
	for (size_t i = 0; i < a->count; i++) {
		free(a->items[i].name);
		free(a->items[i].version);
		free(a->items[i].revision_id);
	}
	free(a->items);
	*a = (struct lambda_aliases){0};
}

int lambda_bare_name(const char *name_or_arn, char *out, size_t out_size)
{
	const char *name = strstr(name_or_arn, ":function:");
	int len;

	name = name ? name + strlen(":function:") : name_or_arn;
	if (!strncmp(name, "arn:", 4) || !strncmp(name, "function:", 9))
		return -EINVAL;
	len = (int)strcspn(name, ":");
	if (len == 0 || (size_t)len >= out_size)
		return -EINVAL;
	(void)snprintf(out, out_size, "%.*s", len, name);
	return 0;
}
