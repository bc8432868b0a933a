#include "cmd/plimsoll/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/plimsoll/paths.h"
#include "common/aws/aws.h"
#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/event/event.h"

/* What `run` may do without a file: at most 1 USD and 32 concurrent. */
static enum exit_code write_default(struct settings *s)
{
	char *region = aws_default_region(NULL);
	char *text;
	int rc;

	if (!region) {
		log_error("no settings file and no AWS region; set AWS_REGION, or write a file "
			  "with plimsoll init");
		return EXIT_USAGE;
	}
	s->path = x_asprintf("%s/default.yaml", s->state_dir);
	text = x_asprintf("# Written by plimsoll, since no settings file was found.\n"
			  "accounts:\n  default: {provider: aws, region: %s}\n"
			  "functions:\n  default/*: {}\n"
			  "limits: {cost_per_run: 1 USD, cost_per_day: 1 USD, concurrency: 32}\n",
			  region);
	rc = fs_write_atomic(s->path, text, strlen(text), 0600);
	if (rc)
		log_error("cannot write %s: %s", s->path, strerror(-rc));
	else
		log_info("no settings file: using the default AWS credentials, region %s, at most "
			 "1 USD and 32 calls at a time",
			 region);
	free(text);
	free(region);
	return rc ? EXIT_AGAIN : EXIT_FINE;
}

static bool names_an_archive(const struct config *c)
{
	for (size_t i = 0; i < c->sink_count; i++)
		if (!strcmp(c->sinks[i].kind, "archive"))
			return true;
	return false;
}

enum exit_code settings_load(const char *given, struct config **out, char **path)
{
	struct config_errors errs = {0};
	enum exit_code code = EXIT_FINE;

	*out = NULL;
	*path = paths_config(given);
	if (*path && config_load(*path, out, &errs)) {
		config_errors_print(&errs, stderr);
		code = EXIT_USAGE;
	}
	config_errors_release(&errs);
	return code;
}

/* The person's file, or else one of ours. */
static enum exit_code load_or_write(struct settings *s, const char *given)
{
	enum exit_code code = settings_load(given, &s->config, &s->path);
	char *path;

	if (code != EXIT_FINE || s->config)
		return code;
	code = write_default(s);
	if (code == EXIT_FINE) {
		code = settings_load(s->path, &s->config, &path);
		free(path);
	}
	return code;
}

enum exit_code settings_open(const char *config, const char *state, struct settings *out)
{
	struct settings s = {.state_dir = paths_state_dir(state)};
	enum exit_code code = load_or_write(&s, config);

	if (code != EXIT_FINE) {
		settings_release(&s);
		return code;
	}
	if (!names_an_archive(s.config))
		s.archive = paths_archive(s.state_dir);
	*out = s;
	return EXIT_FINE;
}

void settings_release(struct settings *s)
{
	config_free(s->config);
	free(s->path);
	free(s->state_dir);
	free(s->archive);
}

char *settings_subject(const struct settings *s, const char *name)
{
	char *text = NULL;
	struct subject subject;

	if (strchr(name, '/'))
		text = x_strdup(name);
	else if (s->config->account_count == 1)
		text = x_asprintf("%s/%s", s->config->accounts[0].name, name);
	else
		log_error("which account is %s in? Name it as account/%s", name, name);
	if (!text)
		return NULL;
	if (!subject_parse(text, &subject) && config_account(s->config, subject.account))
		return text;
	log_error("%s: expected account/function with an account of %s", text, s->path);
	free(text);
	return NULL;
}

#define PAUSE_REASON_MAX_BYTES 4096

char *settings_pause_reason(const struct settings *s)
{
	struct buf reason = BUF_INIT(PAUSE_REASON_MAX_BYTES);
	char *path = paths_pause(s->state_dir);
	int rc = fs_read(path, &reason);

	free(path);
	if (rc == -ENOENT) {
		buf_release(&reason);
		return NULL;
	}
	if (!reason.len_bytes) /* a file that cannot be read pauses too */
		buf_adds(&reason, "no reason given");
	return buf_steal(&reason);
}

enum exit_code settings_write_new(const char *path, const struct buf *text, bool is_forced)
{
	int rc;

	if (!is_forced && access(path, F_OK) == 0) {
		log_error("%s is there already; --force writes over it", path);
		return EXIT_USAGE;
	}
	rc = fs_write_atomic(path, buf_str(text), text->len_bytes, 0644);
	if (rc) {
		log_error("cannot write %s: %s", path, strerror(-rc));
		return EXIT_AGAIN;
	}
	return EXIT_FINE;
}
