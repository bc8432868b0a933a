#include "cmd/plimsoll/args.h"

#include <stdio.h>
#include <stdlib.h>

#include "cmd/plimsoll/paths.h"
#include "common/base/log.h"

#define ROW(field) offsetof(struct args, field)
static const struct opt common_rows[] = {
	{"config", 'c', OPT_STRING, ROW(config), "FILE", NULL,
	 "settings; else ./plimsoll.yaml, ~/.config/plimsoll/plimsoll.yaml, "
	 "/etc/plimsoll/plimsoll.yaml"},
	{"state", 's', OPT_STRING, ROW(state), "DIR", NULL, "else ~/.local/state/plimsoll"},
	{"help", 'h', OPT_FLAG, ROW(is_help), NULL, NULL, "this text"},
};
#undef ROW

static bool end(struct args *a, enum exit_code code)
{
	a->code = code;
	return false;
}

bool args_parse(struct args *a, int argc, char **argv)
{
	struct opt_table tables[] = {{a->rows, a->row_count, a->target},
				     {common_rows, ARRAY_LEN(common_rows), a}};
	struct buf why = BUF_INIT(1024);
	int rc = 0;

	if ((size_t)argc > ARRAY_LEN(a->rest))
		buf_adds(&why, "too many arguments");
	else
		rc = opt_parse(tables, 2, argc, argv, a->rest, &a->rest_count, &why);
	if (!rc && !a->is_help && (a->rest_count < a->rest_min || a->rest_count > a->rest_max))
		buf_addf(&why, "usage: %s %s", a->usage->program, a->usage->synopsis);
	if (why.len_bytes)
		log_error("%s", buf_str(&why));
	rc = why.len_bytes > 0;
	buf_release(&why);
	if (rc)
		return end(a, EXIT_USAGE);
	if (!a->is_help)
		return true;
	opt_help(stdout, a->usage, tables, 2);
	return end(a, fflush(stdout) ? EXIT_AGAIN : EXIT_FINE);
}

enum exit_code args_config(const struct args *a, struct config **out, char **path)
{
	struct config_errors errs = {0};
	enum exit_code code = EXIT_FINE;

	*out = NULL;
	*path = paths_config(a->config);
	if (*path && config_load(*path, out, &errs)) {
		config_errors_print(&errs, stderr);
		code = EXIT_USAGE;
	}
	config_errors_release(&errs);
	return code;
}
