/* plimsoll check: every mistake of the settings in one go. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/plimsoll/command.h"
#include "common/base/log.h"

struct check_opts {
	bool is_schema;
};

static const struct opt rows[] = {
	{"schema", 0, OPT_FLAG, offsetof(struct check_opts, is_schema), NULL, NULL,
	 "prints the JSON Schema of the settings, for editors"},
};

static enum exit_code print_schema(void)
{
	struct buf text = BUF_INIT(1024 * 1024);

	config_json_schema(&text);
	fputs(buf_str(&text), stdout);
	buf_release(&text);
	return EXIT_FINE;
}

static enum exit_code check(const struct door *d)
{
	const struct check_opts *o = d->opts;
	struct config *c = NULL;
	enum exit_code code;
	char *path = NULL;

	if (o->is_schema)
		return print_schema();
	code = settings_load(d->rest_count ? d->rest[0] : d->config, &c, &path);
	if (code == EXIT_FINE && !c) {
		log_error("no settings found; name a file, or write one with plimsoll init");
		code = EXIT_USAGE;
	}
	if (c)
		printf("%s: fine (accounts %zu, function rules %zu, tests %zu, sinks %zu)\n", path,
		       c->account_count, c->function_count, c->test_count, c->sink_count);
	config_free(c);
	free(path);
	return code;
}

const struct command command_check = {
	.name = "check",
	.group = "set-up",
	.help = "checks the settings: every mistake with file, line and column",
	.synopsis = "[FILE]",
	.about = "Checks plimsoll.yaml and conf.d/ beside it. One line a mistake:\n"
		 "file:line:column: what is wrong, expected what.",
	.exits = "  0 fine   100 there are mistakes",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.opts_bytes = sizeof(struct check_opts),
	.rest_max = 1,
	.wants = "name at most one file",
	.needs = TAKES_CONFIG,
	.run = check,
};
