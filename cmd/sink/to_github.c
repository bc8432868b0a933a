/*
 * The github sink: one annotation a run, as a workflow command on standard output.
 *
 *	::error title=prod/hello is worse (unconfirmed)::response_p50 is worse by more than 10 %
 *
 * GitHub Actions shows them on the run's page; error for what stops the gate, warning for what
 * cannot be told, notice for the rest. Format and escapes: GitHub's documentation, "Workflow
 * commands for GitHub Actions", and actions/toolkit, command.ts.
 */
#include <errno.h>
#include <string.h>

#include "cmd/sink/gate.h"
#include "cmd/sink/sinks.h"

#define LINE_MAX_BYTES (16u * 1024u)

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
	(void)s;
	return EXIT_FINE;
}

static int github_deliver(struct sink *s, const struct event *ev)
{
	struct buf line = BUF_INIT(LINE_MAX_BYTES);
	int rc = 0;

	(void)s;
	write_run(ev, &line);
	/* The end of standard output is the stage's to tell. */
	if (fwrite(buf_str(&line), 1, line.len_bytes, stdout) < line.len_bytes || fflush(stdout))
		rc = -errno;
	buf_release(&line);
	return rc;
}

static enum exit_code github_close(struct sink *s)
{
	(void)s;
	return EXIT_FINE;
}

const struct sink_kind sink_github = {
	.name = "github",
	.help = "annotations for a GitHub Actions job on standard output",
	.wants = EV_BIT(EV_RUN_FINISHED),
	.open = github_open,
	.deliver = github_deliver,
	.close = github_close,
};
