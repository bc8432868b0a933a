#include "cmd/plimsoll/look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/plimsoll/paths.h"
#include "common/base/log.h"
#include "common/base/proc.h"

#define SINK_TIMEOUT_MS 20000
#define PAGE_MAX_BYTES (16u * 1024u * 1024u)

static const char *archive_path(const struct settings *s)
{
	for (size_t i = 0; i < s->config->sink_count; i++)
		if (!strcmp(s->config->sinks[i].kind, "archive"))
			return s->config->sinks[i].path;
	return s->archive;
}

struct archive *look_archive(const struct settings *s, enum archive_mode mode)
{
	char why[ARCHIVE_WHY_SIZE];
	struct archive *a = NULL;

	if (access(archive_path(s), F_OK) != 0)
		log_info("nothing has been tested yet (no archive at %s); plimsoll run FUNCTION "
			 "makes a start",
			 archive_path(s));
	else if (archive_open(archive_path(s), mode, &a, why))
		log_error("%s", why);
	return a;
}

enum text_style look_verdict_style(const char *verdict)
{
	static const struct {
		const char *word;
		enum text_style style;
	} words[] = {
		{"better", TEXT_GOOD},	      {"no-difference", TEXT_GOOD}, {"worse", TEXT_BAD},
		{"cannot-tell", TEXT_UNSURE}, {"not-compared", TEXT_DIM},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(verdict, words[i].word))
			return words[i].style;
	return TEXT_PLAIN;
}

void look_print(struct table *t)
{
	struct buf text = BUF_INIT(PAGE_MAX_BYTES);

	table_write(t, text_has_colour(STDOUT_FILENO), &text);
	text_tame(&text);
	fputs(buf_str(&text), stdout);
	buf_release(&text);
	table_release(t);
}

void look_short_date(const char *rfc3339, char out[17])
{
	snprintf(out, 17, "%.16s", rfc3339);
	if (strlen(out) == 16)
		out[10] = ' ';
}

const char *look_or_dash(const char *text)
{
	return text && *text ? text : "-";
}

struct json *look_run(const struct settings *s, const char *prefix)
{
	struct archive *a = look_archive(s, ARCHIVE_READ);
	struct json *event = NULL;
	char why[ARCHIVE_WHY_SIZE];

	if (!a)
		return NULL;
	if (archive_run(a, prefix, &event, why))
		log_error("%s; plimsoll status lists the runs", why);
	archive_close(a);
	return event;
}

int look_feed_sink(const char *const *args, const char *event, struct buf *out)
{
	const char *argv[LOOK_SINK_ARGS + 2] = {NULL};
	struct proc_spec spec = {.argv = argv, .dies_with_us = true};
	struct buf line = BUF_INIT(LOOK_EVENT_MAX_BYTES);
	char *program = paths_program("plimsoll-sink");
	int rc;

	argv[0] = program;
	for (size_t i = 0; args[i]; i++) {
		BUG_ON(i == LOOK_SINK_ARGS);
		argv[i + 1] = args[i];
	}
	buf_addf(&line, "%s\n", event);
	rc = proc_run(&spec, &line, SINK_TIMEOUT_MS, out, NULL);
	if (rc > 128)
		rc = -EINTR;
	if (rc < 0)
		log_error("cannot run %s: %s", program, strerror(-rc));
	buf_release(&line);
	free(program);
	return rc;
}

void look_printf(const char *fmt, ...)
{
	struct buf text = BUF_INIT(PAGE_MAX_BYTES);
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	text_tame(&text);
	fputs(buf_str(&text), stdout);
	buf_release(&text);
}
