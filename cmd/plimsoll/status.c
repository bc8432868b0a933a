/* plimsoll status: what the services have in hand, and the last runs, from the archive. */
#include <stdio.h>
#include <string.h>
#include <stdlib.h>

#include "cmd/plimsoll/bus_view.h"
#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/look.h"
#include "common/base/log.h"

static void head(struct table *t, const char *const *names)
{
	for (; *names; names++)
		table_cell(t, *names, TEXT_DIM);
	table_end_row(t);
}

struct view {
	struct table table;
	size_t rows;
};

static void run_row(const struct archive_run *r, void *ctx)
{
	struct view *view = ctx;
	struct table *t = &view->table;
	char date[17];

	view->rows++;
	look_short_date(r->finished_at, date);
	table_cell(t, r->function, TEXT_BOLD);
	table_cell(t,
		   strcmp(r->verdict, "worse") == 0 && !r->is_confirmed ? "worse (unconfirmed)"
									: look_or_dash(r->verdict),
		   look_verdict_style(r->verdict));
	table_cell(t, look_or_dash(r->outcome), TEXT_PLAIN);
	table_cellf(t, TEXT_PLAIN, "%s -> %s", look_or_dash(r->old_version),
		    look_or_dash(r->new_version));
	table_cell(t, look_or_dash(r->change_kind), TEXT_PLAIN);
	table_cell(t, date, TEXT_DIM);
	table_cell(t, r->run, TEXT_DIM);
	table_cell(t, *r->verdict_reason ? r->verdict_reason : r->reason, TEXT_PLAIN);
	table_end_row(t);
}

static void tell_pause(const struct settings *s)
{
	char *reason = settings_pause_reason(s);

	if (reason)
		printf("paused (%s): no load starts until plimsoll resume\n", reason);
	free(reason);
}

static enum exit_code status(const struct settings *s, const struct archive_query *q)
{
	static const char *const names[] = {"function", "verdict", "outcome", "versions", "change",
					    "when",	"run",	   "why",     NULL};
	struct archive *a = look_archive(s, ARCHIVE_READ);
	char why[ARCHIVE_WHY_SIZE];
	struct view view = {0};
	int rc;

	tell_pause(s);
	if (!a)
		return EXIT_FINE;
	head(&view.table, names);
	rc = archive_runs(a, q, run_row, &view, why);
	archive_close(a);
	if (rc)
		log_error("%s", why);
	else if (!view.rows)
		puts("no runs yet");
	else
		look_print(&view.table);
	table_release(&view.table);
	return rc ? EXIT_AGAIN : EXIT_FINE;
}

struct status_opts {
	struct bus_opts bus;
};

static const struct opt rows[] = {BUS_OPT_ROWS(struct status_opts, bus)};

/* The archive is shown also when the services cannot be asked. */
static enum exit_code run(const struct door *d)
{
	const struct status_opts *o = d->opts;
	struct archive_query q = {.is_last_only = true};
	enum exit_code code = EXIT_FINE;

	if (bus_view_wanted(&d->settings)) {
		code = bus_view_status(&d->settings, &o->bus, d->subject);
		putchar('\n');
	}
	if (d->subject)
		q = (struct archive_query){.function = d->subject, .limit = 20};
	return exit_code_worse(code, status(&d->settings, &q));
}

const struct command command_status = {
	.name = "status",
	.group = "look",
	.help = "the last run of every function",
	.synopsis = "[FUNCTION]",
	.about = "The last run of every function, or the last runs of one. With a bus: section in "
		 "the\n"
		 "settings first what the services have in hand: queued, planned, active, "
		 "measured,\n"
		 "judged and not told yet, dead, and why.",
	.exits = "  0 shown   100 you must change something   111 Redis does not answer",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.opts_bytes = sizeof(struct status_opts),
	.rest_max = 1,
	.wants = "name at most one function",
	.needs = NEEDS_FUNCTION,
	.run = run,
};
