/*
 * The github sink: one annotation a run, as a workflow command on standard output.
 *
 *	::error title=prod/hello is worse (unconfirmed)::response_p50 is worse by more than 10 %
 *
 * GitHub Actions shows them on the run's page; error for what stops the gate, warning for what
 * cannot be told, notice for the rest. Format and escapes: GitHub's documentation, "Workflow
 * commands for GitHub Actions", and actions/toolkit, command.ts.
 *
 * An annotation cannot be taken back, so those of a pipe are written when the input ends: a run
 * that is amended (its objectives may rest on figures that come later) replaces what was said of
 * it. On the bus there is no end, and each is written as it comes.
 */
#include <errno.h>
#include <string.h>

#include "cmd/sink/gate.h"
#include "cmd/sink/sinks.h"

#define LINE_MAX_BYTES (16u * 1024u)
#define RUNS_MAX 1000 /* more: the oldest is written, and cannot be amended any more */

struct to_github {
	struct strmap lines; /* run -> what is said of it, in the order they came */
};

/* In the message; in a property : and , end it, so they are escaped too. */
static void add_escaped(struct buf *out, const char *text, bool is_property)
{
	for (const char *c = text ? text : ""; *c; c++) {
		unsigned char byte = (unsigned char)*c;
		bool is_special = byte == '%' || byte < ' ' || byte == 0x7f ||
				  (is_property && (byte == ':' || byte == ','));

		if (is_special)
			buf_addf(out, "%%%02X", byte);
		else
			buf_addc(out, *c);
	}
}

static const char *level_of(enum exit_code code)
{
	if (code == EXIT_FINE)
		return "notice";
	return code == EXIT_CANNOT_TELL ? "warning" : "error";
}

static void add_missed(struct buf *out, const struct json *objectives)
{
	for (size_t i = 0; i < json_len(objectives); i++) {
		const struct json *o = json_elem(objectives, i);
		enum exit_code code = gate_code_of_objective(o);

		if (code == EXIT_FINE)
			continue;
		buf_addf(out, "%%0A%s: ", code == EXIT_GATE_NO ? "missed" : "not known");
		add_escaped(out, json_get_str(o, "name"), false);
		if (json_get_str(o, "reason")) {
			buf_adds(out, ", ");
			add_escaped(out, json_get_str(o, "reason"), false);
		}
	}
}

static void write_run(const struct event *ev, struct buf *out)
{
	const struct json *data = ev->data;
	const char *outcome = json_get_str(data, "outcome");
	bool is_valid = outcome && strcmp(outcome, "valid") == 0;
	struct gate gate = {0};

	buf_addf(out, "::%s title=", level_of(gate_code_of(&gate, data)));
	add_escaped(out, ev->subject, true);
	buf_adds(out, " is ");
	add_escaped(out, is_valid ? gate_verdict_text(data) : outcome, true);
	buf_adds(out, "::");
	add_escaped(out, json_get_str(data, is_valid ? "verdict_reason" : "reason"), false);
	if (is_valid)
		add_missed(out, json_get(data, "objectives"));
	buf_addc(out, '\n');
}

static enum exit_code github_open(struct sink *s)
{
	s->own = x_calloc(1, sizeof(struct to_github));
	return EXIT_FINE;
}

/* The end of standard output is the stage's to tell. */
static int write_line(const char *line)
{
	return fputs(line, stdout) == EOF || fflush(stdout) ? -errno : 0;
}

static int write_oldest(struct to_github *own)
{
	char *line = strmap_remove(&own->lines, own->lines.items[0].key);
	int rc = write_line(line);

	free(line);
	return rc;
}

static int github_deliver(struct sink *s, const struct event *ev)
{
	struct to_github *own = s->own;
	struct buf line = BUF_INIT(LINE_MAX_BYTES);
	int rc = 0;

	write_run(ev, &line);
	if (stage_is_bus(s->world->st))
		rc = write_line(buf_str(&line));
	else
		free(strmap_put(&own->lines, ev->run ? ev->run : ev->id, x_strdup(buf_str(&line))));
	if (own->lines.count > RUNS_MAX)
		rc = write_oldest(own);
	buf_release(&line);
	return rc;
}

static enum exit_code github_close(struct sink *s)
{
	struct to_github *own = s->own;
	int rc = 0;

	while (own->lines.count > 0)
		rc = write_oldest(own) ? -EIO : rc;
	strmap_release(&own->lines, free);
	free(own);
	return rc ? EXIT_AGAIN : EXIT_FINE;
}

const struct sink_kind sink_github = {
	.name = "github",
	.help = "annotations for a GitHub Actions job on standard output, written when the input "
		"ends",
	.wants = EV_BIT(EV_RUN_FINISHED),
	.open = github_open,
	.deliver = github_deliver,
	.close = github_close,
};
