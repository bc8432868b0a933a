/* plimsoll list: the functions of all accounts, and which rule holds for each. */
#include <string.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/inventory.h"
#include "cmd/plimsoll/look.h"
#include "common/base/log.h"
#include "common/event/event.h"

static const struct opt_usage usage = {
	.program = "plimsoll list",
	.synopsis = "[ACCOUNT]",
	.about = "The functions of the accounts in the settings, and the rule that holds for each.",
};

static void rule_cells(struct table *t, const struct config_function *rule)
{
	struct buf tests = BUF_INIT(1024);

	if (!rule) {
		table_cell(t, "no rule: never tested", TEXT_DIM);
		return;
	}
	for (size_t i = 0; i < rule->test_count; i++)
		buf_addf(&tests, "%s%s", i ? ", " : "", rule->tests[i]);
	if (!rule->has_tests)
		buf_adds(&tests, "compare");
	table_cellf(t, TEXT_PLAIN, "%s/%s", rule->account, rule->pattern);
	table_cell(t, tests.len_bytes ? buf_str(&tests) : "never tested", TEXT_PLAIN);
	buf_release(&tests);
}

static void function_row(struct table *t, const struct config *c, const char *account,
			 const char *name, const char *what)
{
	table_cellf(t, TEXT_BOLD, "%s/%s", account, name);
	table_cell(t, look_or_dash(what), TEXT_DIM);
	if (name_is_valid(name))
		rule_cells(t, config_rule(c, account, name));
	else
		table_cell(t, "name needs a mapping: give its rule cloud_name", TEXT_UNSURE);
	table_end_row(t);
}

static bool aws_rows(struct table *t, const struct config *c, const struct config_account *a)
{
	struct lambda_list list = {0};
	bool is_read = inventory_read(a, &list);

	for (size_t i = 0; i < list.count; i++)
		function_row(t, c, a->name, list.items[i].name, list.items[i].runtime);
	lambda_list_release(&list);
	return is_read;
}

static bool http_rows(struct table *t, const struct config *c, const struct config_account *a)
{
	for (size_t i = 0; i < c->function_count; i++)
		if (!strcmp(c->functions[i].account, a->name))
			function_row(t, c, a->name, c->functions[i].pattern, c->functions[i].url);
	return true;
}

static bool (*const rows_of[])(struct table *t, const struct config *c,
			       const struct config_account *a) = {
	[PROVIDER_AWS] = aws_rows,
	[PROVIDER_HTTP] = http_rows,
};

int cmd_list(int argc, char **argv)
{
	struct args a = {.usage = &usage, .rest_max = 1};
	struct table t = {0};
	struct settings s;
	enum exit_code code, printed;
	size_t seen = 0;

	if (!args_parse(&a, argc, argv))
		return a.code;
	code = settings_open(&a, &s);
	if (code != EXIT_FINE)
		return code;
	for (size_t i = 0; i < s.config->account_count; i++) {
		const struct config_account *account = &s.config->accounts[i];

		if (a.rest_count && strcmp(a.rest[0], account->name) != 0)
			continue;
		seen++;
		if (!rows_of[account->provider](&t, s.config, account))
			code = exit_code_worse(code, EXIT_AGAIN);
	}
	if (!seen) {
		log_error("no account %s in %s", a.rest_count ? a.rest[0] : "", s.path);
		code = EXIT_USAGE;
	}
	printed = look_print(&t);
	settings_release(&s);
	return exit_code_worse(code, printed);
}
