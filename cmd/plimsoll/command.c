/* command.c - from argv to a command that runs with all that it needs. */
#include "cmd/plimsoll/command.h"

#include <stdlib.h>

#include "common/base/log.h"

struct call {
	const struct command *command;
	struct door door;
	void *opts;
	struct opt common[4];
	size_t common_count;
	bool wants_help, wants_options;
};

#define ROW(field) offsetof(struct call, field)
static const struct {
	unsigned needs; /* all of these bits */
	struct opt row;
} common_rows[] = {
	{TAKES_CONFIG,
	 {"config", 'c', OPT_STRING, ROW(door.config), "FILE", NULL,
	  "settings; else ./plimsoll.yaml, ~/.config/plimsoll/plimsoll.yaml, "
	  "/etc/plimsoll/plimsoll.yaml"}},
	{TAKES_STATE,
	 {"state", 's', OPT_STRING, ROW(door.state), "DIR", NULL, "else ~/.local/state/plimsoll"}},
	{0, {"help", 'h', OPT_FLAG, ROW(wants_help), NULL, NULL, "this text"}},
	{0,
	 {"print-options", 0, OPT_FLAG, ROW(wants_options), NULL, NULL,
	  "lists the options for machines"}},
};
#undef ROW

static void choose_common(struct call *c)
{
	unsigned needs = (unsigned)c->command->needs;

	for (size_t i = 0; i < ARRAY_LEN(common_rows); i++)
		if ((common_rows[i].needs & needs) == common_rows[i].needs)
			c->common[c->common_count++] = common_rows[i].row;
}

static bool has_page(const struct call *c)
{
	return c->wants_help || c->wants_options;
}

static enum exit_code parse(struct call *c, const struct opt_table tables[2], int argc, char **argv)
{
	const struct command *k = c->command;
	struct buf why = BUF_INIT(1024);
	size_t count = 0;
	int rc;

	rc = opt_parse(tables, 2, argc, argv, c->door.rest, &count, &why);
	if (!rc && !has_page(c) && (count < k->rest_min || count > k->rest_max)) {
		buf_addf(&why, "%s; usage: plimsoll %s %s",
			 k->wants ? k->wants : "it takes no arguments", k->name, k->synopsis);
		rc = -1;
	}
	if (rc)
		log_error("%s", buf_str(&why));
	c->door.rest_count = count;
	buf_release(&why);
	return rc ? EXIT_USAGE : EXIT_FINE;
}

static void print_page(const struct call *c, const struct opt_table tables[2])
{
	const struct command *k = c->command;
	char *program = x_asprintf("plimsoll %s", k->name);
	struct opt_usage usage = {program, k->synopsis, k->about, k->exits};

	if (c->wants_options)
		opt_print(stdout, tables, 2);
	else
		opt_help(stdout, &usage, tables, 2);
	free(program);
}

static bool needs(const struct call *c, enum needs what)
{
	return (c->command->needs & what) == what;
}

static enum exit_code prepare_and_run(struct call *c)
{
	struct door *d = &c->door;
	enum exit_code code = EXIT_FINE;

	if (needs(c, NEEDS_SETTINGS))
		code = settings_open(d->config, d->state, &d->settings);
	if (code != EXIT_FINE)
		return code;
	if (needs(c, NEEDS_FUNCTION) && d->rest_count) {
		d->subject = settings_subject(&d->settings, d->rest[0]);
		if (!d->subject)
			return EXIT_USAGE;
	}
	return c->command->run(d);
}

enum exit_code command_dispatch(const struct command *command, int argc, char **argv)
{
	struct call c = {.command = command, .opts = x_calloc(1, command->opts_bytes + 1)};
	struct opt_table tables[2] = {{command->rows, command->row_count, c.opts},
				      {c.common, 0, &c}};
	enum exit_code code;

	choose_common(&c);
	tables[1].count = c.common_count;
	c.door.opts = c.opts;
	c.door.rest = x_calloc((size_t)argc + 1, sizeof(*c.door.rest));
	code = parse(&c, tables, argc, argv);
	if (code == EXIT_FINE && has_page(&c))
		print_page(&c, tables);
	else if (code == EXIT_FINE)
		code = prepare_and_run(&c);
	settings_release(&c.door.settings);
	free(c.door.subject);
	free(c.door.rest);
	free(c.opts);
	return code;
}
