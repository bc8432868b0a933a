/* plimsoll list: the functions of all accounts, and which rule holds for each. */
#include <string.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/inventory.h"
#include "cmd/plimsoll/look.h"
#include "common/base/log.h"
#include "common/event/event.h"

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

static enum exit_code aws_rows(struct table *t, const struct config *c,
			       const struct config_account *a)
{
	struct lambda_list list = {0};
	enum exit_code code = inventory_read(a, &list);

	for (size_t i = 0; i < list.count; i++)
		function_row(t, c, a->name, list.items[i].name, list.items[i].runtime);
	lambda_list_release(&list);
	return code;
}

static enum exit_code http_rows(struct table *t, const struct config *c,
				const struct config_account *a)
{
	for (size_t i = 0; i < c->function_count; i++)
		if (!strcmp(c->functions[i].account, a->name))
			function_row(t, c, a->name, c->functions[i].pattern, c->functions[i].url);
	return EXIT_FINE;
}

static enum exit_code (*const rows_of[])(struct table *t, const struct config *c,
					 const struct config_account *a) = {
	[PROVIDER_AWS] = aws_rows,
	[PROVIDER_HTTP] = http_rows,
};

static enum exit_code list(const struct door *d)
{
	const struct config *c = d->settings.config;
	enum exit_code code = EXIT_FINE;
	struct table t = {0};
	size_t seen = 0;

	for (size_t i = 0; i < c->account_count; i++) {
		const struct config_account *account = &c->accounts[i];

		if (d->rest_count && strcmp(d->rest[0], account->name) != 0)
			continue;
		seen++;
		code = exit_code_worse(code, rows_of[account->provider](&t, c, account));
	}
	if (!seen) {
		log_error("no account %s in %s", d->rest_count ? d->rest[0] : "", d->settings.path);
		code = EXIT_USAGE;
	}
	look_print(&t);
	return code;
}

const struct command command_list = {
	.name = "list",
	.group = "set-up",
	.help = "the functions of all accounts and the rule for each",
	.synopsis = "[ACCOUNT]",
	.about = "The functions of the accounts in the settings, and the rule that holds for each.",
	.rest_max = 1,
	.wants = "name at most one account",
	.needs = NEEDS_SETTINGS,
	.run = list,
};
