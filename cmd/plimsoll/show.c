/* plimsoll show: one whole run, from the archive. */
#include <stdio.h>

#include "cmd/plimsoll/bus_view.h"
#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/look.h"

struct show_opts {
	bool is_json, wants_bus;
	struct bus_opts bus;
};

static const struct opt show_rows[] = {
	{"json", 0, OPT_FLAG, offsetof(struct show_opts, is_json), NULL, NULL,
	 "the whole run.finished event"},
	{"bus", 0, OPT_FLAG, offsetof(struct show_opts, wants_bus), NULL, NULL,
	 "what Redis knows of a run or a change, at whatever state it is"},
	BUS_OPT_ROWS(struct show_opts, bus),
};

/* Through the sink that told it the first time. */
static enum exit_code tell(const struct json *event)
{
	const char *args[] = {"--to", "terminal", "--only", "--log-level", "error", NULL};
	struct buf line = BUF_INIT(LOOK_EVENT_MAX_BYTES), out = BUF_INIT(LOOK_EVENT_MAX_BYTES);
	int rc;

	json_write(event, &line);
	rc = look_feed_sink(args, buf_str(&line), &out);
	fputs(buf_str(&out), stdout);
	buf_release(&line);
	buf_release(&out);
	return rc < 0 ? EXIT_AGAIN : EXIT_FINE;
}

static enum exit_code print_event(const struct json *event)
{
	struct buf text = BUF_INIT(LOOK_EVENT_MAX_BYTES);

	json_write_pretty(event, &text);
	puts(buf_str(&text));
	buf_release(&text);
	return EXIT_FINE;
}

static enum exit_code show_bus(const struct door *d, const struct bus_opts *o)
{
	struct bus_door bus;
	enum exit_code code = bus_door_open(&bus, d->settings.path, o);

	if (code == EXIT_FINE)
		code = bus_view_run(&bus, d->rest[0]);
	bus_door_close(&bus);
	return code;
}

static enum exit_code show(const struct door *d)
{
	const struct show_opts *o = d->opts;
	struct json *event;
	enum exit_code code;

	if (o->wants_bus)
		return show_bus(d, &o->bus);
	event = look_run(&d->settings, d->rest[0]);
	if (!event)
		return EXIT_USAGE;
	code = o->is_json ? print_event(event) : tell(event);
	json_free(event);
	return code;
}

const struct command command_show = {
	.name = "show",
	.group = "look",
	.help = "one run, as it was told",
	.synopsis = "[--json] RUN",
	.about = "One run, told as it was when it ended. RUN is its id or the first characters of "
		 "it,\nwith --bus the whole id.",
	.rows = show_rows,
	.row_count = ARRAY_LEN(show_rows),
	.opts_bytes = sizeof(struct show_opts),
	.rest_min = 1,
	.rest_max = 1,
	.wants = "name one run",
	.needs = NEEDS_SETTINGS,
	.run = show,
};
