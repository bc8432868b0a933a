#include <errno.h>

#include "common/aws/creds.h"
#include "common/json/json.h"

#define POLICY_MAX_BYTES 2048 /* what AssumeRole takes */

static const struct {
	const char *prefix, *partition;
} partitions[] = {{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}, {"", "aws"}};

static const char *partition_of(const char *region)
{
	size_t i = 0;

	while (strncmp(region, partitions[i].prefix, strlen(partitions[i].prefix)) != 0)
		i++;
	return partitions[i].partition;
}

/* The function itself and all its versions and aliases. */
static void add_resources(struct json *list, const char *region, const char *function)
{
	char *arn = strncmp(function, "arn:", 4)
			    ? x_asprintf("arn:%s:lambda:%s:*:function:%s", partition_of(region),
					 region, function)
			    : x_strdup(function);
	char *versions = x_asprintf("%s:*", arn);

	json_push(list, json_new_str(arn));
	json_push(list, json_new_str(versions));
	free(arn);
	free(versions);
}

int aws_session_policy(const char *region, const char *const *functions, size_t count,
		       struct buf *out)
{
	struct json *resources = json_arr(), *statement = json_obj(), *list = json_arr();
	struct json *policy = json_obj();
	size_t before = out->len_bytes;

	for (size_t i = 0; i < count; i++)
		add_resources(resources, region, functions[i]);
	json_put_str(statement, "Effect", "Allow");
	json_put_str(statement, "Action", "lambda:InvokeFunction");
	json_put(statement, "Resource", resources);
	json_push(list, statement);
	json_put_str(policy, "Version", "2012-10-17");
	json_put(policy, "Statement", list);
	json_write(policy, out);
	json_free(policy);
	return out->len_bytes - before > POLICY_MAX_BYTES || buf_is_over(out) ? -E2BIG : 0;
}
