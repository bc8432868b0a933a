#include "cmd/watcher/inventory.h"

#include <stdio.h>

#include "common/aws/lambda.h"
#include "common/base/log.h"

static bool is_tested(const struct config *config, const char *account, const char *function)
{
	const struct config_function *rule = config_rule(config, account, function);

	return rule && !(rule->has_tests && rule->test_count == 0);
}

static void print_function(const struct config *config, const struct config_account *account,
			   const struct lambda_function *f)
{
	fprintf(stderr, "%s/%-40s %-14s %5lld MiB  %s  %s\n", account->name, f->name,
		f->runtime ? f->runtime : "image", (long long)(f->memory_bytes >> 20),
		f->last_modified ? f->last_modified : "",
		is_tested(config, account->name, f->name) ? "tested by a rule"
							  : "no rule tests it");
}

static enum exit_code print_account(const struct config *config,
				    const struct config_account *account)
{
	enum exit_code code = EXIT_FINE;
	struct lambda_list list = {0};
	struct aws_client *client = NULL;
	struct aws_error err = {0};
	struct aws_options o;
	int rc;

	aws_options_from_account(account, &o);
	o.is_stopped = http_signal_pending;
	rc = aws_client_new(&o, &client, &err);
	if (!rc)
		rc = lambda_list_functions(client, &list, &err);
	for (size_t i = 0; !rc && i < list.count; i++)
		print_function(config, account, &list.items[i]);
	if (rc && err.fault != AWS_STOPPED) {
		log_error("%s: %s", account->name, err.text);
		code = aws_fault_is_yours(err.fault) ? EXIT_USAGE : EXIT_AGAIN;
	}
	lambda_list_release(&list);
	aws_client_free(client);
	return code;
}

enum exit_code inventory_print(const struct config *config)
{
	enum exit_code code = EXIT_FINE;

	for (size_t i = 0; i < config->account_count; i++)
		if (config->accounts[i].provider == PROVIDER_AWS)
			code = exit_code_worse(code, print_account(config, &config->accounts[i]));
	fputs("Without --state DIR there is nothing to tell a change by, so nothing was planned.\n"
	      "To watch for changes: plimsoll-watcher --once --state DIR (the first time makes "
	      "the\n"
	      "inventory). To test one function now: plimsoll run ACCOUNT/FUNCTION.\n",
	      stderr);
	return code;
}
