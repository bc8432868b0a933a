/* plimsoll check: every mistake of the settings in one go. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/plimsoll/args.h"
#include "cmd/plimsoll/command.h"
#include "common/base/log.h"

struct check_opts {
	bool is_schema;
};

static const struct opt rows[] = {
	{"schema", 0, OPT_FLAG, offsetof(struct check_opts, is_schema), NULL, NULL,
	 "prints the JSON Schema of the settings, for editors"},
};

static const struct opt_usage usage = {
	.program = "plimsoll check",
	.synopsis = "[FILE]",
	.about = "Checks plimsoll.yaml and conf.d/ beside it. One line a mistake:\n"
		 "file:line:column: what is wrong, expected what.",
	.exits = "  0 fine   100 there are mistakes",
};

static int print_schema(void)
{
	struct buf text = BUF_INIT(1024 * 1024);

	config_json_schema(&text);
	fputs(buf_str(&text), stdout);
	buf_release(&text);
	return fflush(stdout) ? EXIT_AGAIN : EXIT_FINE;
}

int cmd_check(int argc, char **argv)
{
	struct check_opts o = {0};
	struct args a = {.usage = &usage,
			 .rows = rows,
			 .row_count = ARRAY_LEN(rows),
			 .target = &o,
			 .rest_max = 1};
	struct config *c = NULL;
	enum exit_code code;
	char *path = NULL;

	if (!args_parse(&a, argc, argv))
		return a.code;
	if (o.is_schema)
		return print_schema();
	if (a.rest_count)
		a.config = a.rest[0];
	code = args_config(&a, &c, &path);
	if (code == EXIT_FINE && !c) {
		log_error("no settings found; name a file, or write one with plimsoll init");
		code = EXIT_USAGE;
	}
	if (c)
		printf("%s: fine: %zu accounts, %zu function rules, %zu tests, %zu sinks\n", path,
		       c->account_count, c->function_count, c->test_count, c->sink_count);
	config_free(c);
	free(path);
	return code;
}
