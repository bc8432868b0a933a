#include "common/stage/stage_private.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/config/config.h"

#define ROW(field) offsetof(struct stage_opts, field)
static const struct opt common_rows[] = {
	{"config", 'c', OPT_STRING, ROW(config), "FILE", NULL,
	 "settings; else the first that is there: ./plimsoll.yaml, "
	 "~/.config/plimsoll/plimsoll.yaml, /etc/plimsoll/plimsoll.yaml"},
	{"state", 's', OPT_STRING, ROW(state), "DIR", NULL,
	 "remembers between runs, in this folder"},
	{"bus", 0, OPT_FLAG, ROW(is_bus), NULL, NULL,
	 "works for the services of the settings' bus: instead of between two pipes"},
	{"reject", 0, OPT_STRING, ROW(reject), "FILE", NULL,
	 "appends lines that are no good to it"},
	{"drain", 0, OPT_DURATION_MS, ROW(drain_ms), "TIME", "30s",
	 "after a signal, time to finish what is held"},
	{"ready-fd", 0, OPT_U64, ROW(ready_fd), "N", NULL,
	 "writes a newline to this descriptor once ready"},
	{"metrics", 0, OPT_STRING, ROW(metrics), "WHERE", NULL,
	 "answers /metrics and /healthz on HOST:PORT or unix:PATH; under systemd on the unit's "
	 "socket"},
	{"log-level", 0, OPT_STRING, ROW(log_level), "LEVEL", "info", "error, warn, info or debug"},
	{"check", 0, OPT_FLAG, ROW(is_check), NULL, NULL, "checks options and settings, then ends"},
	{"print-options", 0, OPT_FLAG, ROW(is_print_options), NULL, NULL,
	 "lists the options for machines, tab-separated"},
	{"help", 'h', OPT_FLAG, ROW(is_help), NULL, NULL, "this text"},
	{"version", 'V', OPT_FLAG, ROW(is_version), NULL, NULL, "the version"},
};
#undef ROW

static const char common_exits[] =
	"  0 done   100 you must change something   101 a bug of ours   111 try again";

static void print_help(const struct stage *st, const struct opt_table *tables, size_t count)
{
	struct opt_usage u = {
		.program = st->program,
		.synopsis = st->def->synopsis,
		.about = st->def->about,
		.exits = st->def->exits ? st->def->exits : common_exits,
	};

	opt_help(stdout, &u, tables, count);
	puts("\nIn a pipe every event is handled at most once; ids are derived, so a repeat is "
	     "harmless.");
}

/* Prints a page; a full disk must not look like success. */
static int end_page(void)
{
	return fflush(stdout) || ferror(stdout) ? EXIT_AGAIN : EXIT_FINE;
}

static int parse(struct stage *st, const struct opt_table *tables, int argc, char **argv)
{
	struct buf why = BUF_INIT(1024);
	enum log_level level;
	int rc = opt_parse(tables, 2, argc, argv, st->args, &st->arg_count, &why);

	if (!rc && log_level_parse(st->opts.log_level, &level)) {
		buf_addf(&why, "--log-level %s: expected error, warn, info or debug",
			 st->opts.log_level);
		rc = -1;
	}
	if (rc)
		log_error("%s", buf_str(&why));
	else
		log_set_level(level);
	buf_release(&why);
	return rc;
}

bool stage_opts_parse(struct stage *st, int argc, char **argv, int *code)
{
	struct opt_table tables[2] = {
		{st->def->opts, st->def->opt_count, st->stage_opts},
		{common_rows, ARRAY_LEN(common_rows), &st->opts},
	};

	*code = EXIT_FINE;
	if (parse(st, tables, argc, argv)) {
		*code = EXIT_USAGE;
		return true;
	}
	if (st->opts.is_help)
		print_help(st, tables, 2);
	else if (st->opts.is_version)
		printf("%s %s\n", st->program, PLIMSOLL_VERSION);
	else if (st->opts.is_print_options)
		opt_print(stdout, tables, 2);
	else {
		if (!st->opts.config)
			st->opts.config = st->found_config = config_find();
		return false;
	}
	*code = end_page();
	return true;
}
