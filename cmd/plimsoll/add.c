/* plimsoll add: a rule for one function, in conf.d/. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/settings.h"
#include "common/base/fsio.h"
#include "common/base/log.h"

#define FILE_MAX_BYTES (1024u * 1024u)

struct add_opts {
	const char *payload, *url, *tests;
	bool is_forced;
};

#define ROW(field) offsetof(struct add_opts, field)
static const struct opt add_rows[] = {
	{"payload", 0, OPT_STRING, ROW(payload), "TEXT", "{}", "what the function is called with"},
	{"url", 0, OPT_STRING, ROW(url), "URL", NULL, "for an account with provider http"},
	{"tests", 0, OPT_STRING, ROW(tests), "NAME,...", NULL,
	 "tests of the settings; else compare"},
	{"force", 0, OPT_FLAG, ROW(is_forced), NULL, NULL, "writes over a rule that is there"},
};
#undef ROW

/* YAML's single quotes: only the quote itself is doubled. */
static void add_quoted(struct buf *b, const char *text)
{
	buf_addc(b, '\'');
	for (; *text; text++)
		buf_adds(b, *text == '\'' ? "''" : (const char[]){*text, '\0'});
	buf_addc(b, '\'');
}

static void write_rule(struct buf *b, const char *subject, const struct add_opts *o)
{
	buf_addf(b, "# Written by plimsoll add.\nfunctions:\n  %s:\n    payload: ", subject);
	add_quoted(b, o->payload);
	buf_addc(b, '\n');
	if (o->url) {
		buf_adds(b, "    url: ");
		add_quoted(b, o->url);
		buf_addc(b, '\n');
	}
	if (o->tests)
		buf_addf(b, "    tests: [%s]\n", o->tests);
}

/* conf.d/ACCOUNT-FUNCTION.yaml beside the settings; the caller's. */
static char *rule_path(const char *config_path, const char *subject)
{
	const char *slash = strrchr(config_path, '/');
	char *path, *dash;
	int rc;

	path = slash ? x_asprintf("%.*s/conf.d", (int)(slash - config_path), config_path)
		     : x_strdup("conf.d");
	rc = fs_mkdirs(path, 0755);
	if (rc)
		log_error("cannot make %s: %s", path, strerror(-rc));
	free(path);
	path = slash ? x_asprintf("%.*s/conf.d/%s.yaml", (int)(slash - config_path), config_path,
				  subject)
		     : x_asprintf("conf.d/%s.yaml", subject);
	dash = strrchr(path, '/');
	*dash = '-';
	return path;
}

/* A rule that would make the settings invalid is taken back. */
static enum exit_code check_again(const struct settings *s, const char *path)
{
	struct config_errors errs = {0};
	struct config *c = NULL;
	int rc = config_load(s->path, &c, &errs);

	if (rc) {
		config_errors_print(&errs, stderr);
		unlink(path);
	}
	config_errors_release(&errs);
	config_free(c);
	return rc ? EXIT_USAGE : EXIT_FINE;
}

static enum exit_code add(const struct door *d)
{
	const struct add_opts *o = d->opts;
	struct buf text = BUF_INIT(FILE_MAX_BYTES);
	char *path = rule_path(d->settings.path, d->subject);
	enum exit_code code;

	write_rule(&text, d->subject, o);
	code = settings_write_new(path, &text, o->is_forced);
	if (code == EXIT_FINE)
		code = check_again(&d->settings, path);
	if (code == EXIT_FINE)
		printf("%s: written; plimsoll run %s --dry-run says what a test costs\n", path,
		       d->subject);
	free(path);
	buf_release(&text);
	return code;
}

const struct command command_add = {
	.name = "add",
	.group = "set-up",
	.help = "writes a rule for one function into conf.d/",
	.synopsis = "[ACCOUNT/]FUNCTION [options]",
	.about = "Writes a rule for one function into conf.d/ beside the settings file.",
	.rows = add_rows,
	.row_count = ARRAY_LEN(add_rows),
	.opts_bytes = sizeof(struct add_opts),
	.rest_min = 1,
	.rest_max = 1,
	.wants = "name one function",
	.needs = NEEDS_FUNCTION,
	.run = add,
};
