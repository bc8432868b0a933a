/* plimsoll init: a settings file to start from. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/inventory.h"
#include "cmd/plimsoll/settings.h"
#include "common/base/log.h"
#include "common/event/event.h"

#define FILE_MAX_BYTES (1024u * 1024u)

struct init_opts {
	const char *account, *out;
	bool is_policy, is_forced, may_publish, may_copy, may_read_logs;
};

#define ROW(field) offsetof(struct init_opts, field)
static const struct opt init_rows[] = {
	{"account", 0, OPT_STRING, ROW(account), "NAME", "default",
	 "what the account is called here"},
	{"out", 'o', OPT_STRING, ROW(out), "FILE", "plimsoll.yaml", "the file that is written"},
	{"force", 0, OPT_FLAG, ROW(is_forced), NULL, NULL, "writes over a file that is there"},
	{"print-policy", 0, OPT_FLAG, ROW(is_policy), NULL, NULL,
	 "prints the least IAM policy that Plimsoll needs, and ends"},
	{"publish", 0, OPT_FLAG, ROW(may_publish), NULL, NULL,
	 "with --print-policy: also to publish and delete versions of ours"},
	{"copies", 0, OPT_FLAG, ROW(may_copy), NULL, NULL,
	 "with --print-policy: also to publish copies of equal code, which takes an edit of the "
	 "description; implies --publish"},
	{"logs", 0, OPT_FLAG, ROW(may_read_logs), NULL, NULL,
	 "with --print-policy: also to read the functions' logs (environments_from_logs)"},
};
#undef ROW

/* docs/CREDENTIALS.md says what each permission is for. */
static void print_policy(const struct init_opts *o)
{
	puts("{\n"
	     "  \"Version\": \"2012-10-17\",\n"
	     "  \"Statement\": [\n"
	     "    {\"Effect\": \"Allow\", \"Resource\": \"*\", \"Action\": [\n"
	     "      \"lambda:ListFunctions\", \"lambda:GetFunctionConfiguration\",\n"
	     "      \"lambda:ListVersionsByFunction\", \"lambda:ListAliases\",\n"
	     "      \"lambda:GetAccountSettings\", \"lambda:GetFunctionConcurrency\",\n"
	     "      \"cloudwatch:GetMetricData\"]},\n"
	     "    {\"Effect\": \"Allow\", \"Resource\": \"arn:aws:lambda:*:*:function:*\", "
	     "\"Action\": [");
	if (o->may_copy)
		puts("      \"lambda:UpdateFunctionConfiguration\",");
	if (o->may_publish || o->may_copy)
		puts("      \"lambda:PublishVersion\", \"lambda:DeleteFunction\",");
	printf("      \"lambda:InvokeFunction\"]}%s\n", o->may_read_logs ? "," : "");
	if (o->may_read_logs)
		puts("    {\"Effect\": \"Allow\", \"Resource\": "
		     "\"arn:aws:logs:*:*:log-group:/aws/lambda/*\", \"Action\": [\n"
		     "      \"logs:FilterLogEvents\"]}");
	puts("  ]\n}");
}

static void write_head(struct buf *b, const char *account, const char *region)
{
	buf_addf(b,
		 "# Settings of Plimsoll; plimsoll check finds every mistake.\n"
		 "version: 1\naccounts:\n  %s:\n    provider: aws\n    region: %s\n"
		 "    # Without the next line there is mostly nothing to compare with: it lets "
		 "Plimsoll\n"
		 "    # publish versions, so that the old code stays callable, and delete its own "
		 "again.\n"
		 "    # publish_versions: keep 5\n"
		 "limits: {cost_per_run: 0.50 USD, cost_per_day: 5 USD, concurrency: 32}\n"
		 "functions:\n"
		 "  %s/*: {tests: []}   # noticed, never called\n"
		 "  # take functions in: here, or with plimsoll add\n",
		 account, region, account);
}

static void write_functions(struct buf *b, const char *account, const struct lambda_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		buf_addf(b, "  # %s/%s: {payload: '{}'}\n", account, list->items[i].name);
}

static enum exit_code init(const struct init_opts *o)
{
	struct buf text = BUF_INIT(FILE_MAX_BYTES);
	char *region = aws_default_region(NULL);
	struct lambda_list list = {0};
	enum exit_code code = EXIT_USAGE;

	if (!region)
		log_error("which region? Set AWS_REGION, or region in ~/.aws/config");
	else if (!name_is_valid(o->account))
		log_error("--account %s: expected letters, digits, dots, - and _", o->account);
	else
		code = inventory_read(NULL, &list);
	if (code == EXIT_FINE) {
		write_head(&text, o->account, region);
		write_functions(&text, o->account, &list);
		code = settings_write_new(o->out, &text, o->is_forced);
	}
	if (code == EXIT_FINE)
		printf("%s: %zu function%s listed, none is tested yet; plimsoll add FUNCTION takes "
		       "one in\n",
		       o->out, list.count, list.count == 1 ? "" : "s");
	lambda_list_release(&list);
	buf_release(&text);
	free(region);
	return code;
}

static enum exit_code run(const struct door *d)
{
	const struct init_opts *o = d->opts;

	if (!o->is_policy)
		return init(o);
	print_policy(o);
	return EXIT_FINE;
}

const struct command command_init = {
	.name = "init",
	.group = "set-up",
	.help = "lists the account's functions and writes a settings file",
	.synopsis = "[--account NAME] [-o FILE]",
	.about = "Lists the functions that the default AWS credentials see and writes a settings "
		 "file\n"
		 "with every one of them as a comment: nothing is tested until you take one in.",
	.rows = init_rows,
	.row_count = ARRAY_LEN(init_rows),
	.opts_bytes = sizeof(struct init_opts),
	.run = run,
};
