#include "cmd/plimsoll/fullpipe.h"

#include <stdlib.h>

#include "cmd/plimsoll/paths.h"

static void add_watcher(const struct fullpipe *f, struct pipeline *p)
{
	struct pipeline_stage *s = pipeline_add(p, "watcher");

	pipeline_option(s, "--config", f->config);
	pipeline_option(s, "--state", f->state);
	pipeline_arg(s, f->subject ? "--once" : "--follow");
	if (f->is_dry_run)
		pipeline_arg(s, "--no-publish");
	if (f->wants_copy)
		pipeline_arg(s, "--copy");
	if (f->subject)
		pipeline_arg(s, f->subject);
}

static void add_planner(const struct fullpipe *f, struct pipeline *p)
{
	struct pipeline_stage *s = pipeline_add(p, "planner");

	pipeline_option(s, "--config", f->config);
	pipeline_option(s, "--state", f->state);
	pipeline_option(s, "--old", f->old_qualifier);
	pipeline_option(s, "--new", f->new_qualifier);
	pipeline_option(s, "--test", f->test);
	pipeline_option(s, "--payload", f->payload);
	pipeline_option(s, "--purpose", f->purpose);
	if (f->confirms) {
		pipeline_option(s, "--purpose", "confirm");
		pipeline_option(s, "--confirms", f->confirms);
	}
	if (f->is_dry_run)
		pipeline_arg(s, "--dry-run");
}

static void add_loader(const struct fullpipe *f, struct pipeline *p)
{
	struct pipeline_stage *s = pipeline_add(p, "loader");
	char *pause_file = paths_pause(f->state);

	pipeline_option(s, "--config", f->config);
	pipeline_option(s, "--state", f->state);
	pipeline_option(s, "--pause-file", pause_file);
	pipeline_option(s, "--slots", f->slots);
	/* The sink tells how each run went; a line a shard would tear its progress line. */
	pipeline_option(s, "--log-level", "warn");
	free(pause_file);
}

static void add_collector(const struct fullpipe *f, struct pipeline *p)
{
	struct pipeline_stage *s = pipeline_add(p, "collector");

	pipeline_option(s, "--config", f->config);
	pipeline_option(s, "--state", f->state);
	pipeline_option(s, "--wait-cloud", f->wait_cloud);
}

static void add_to(struct pipeline_stage *s, const char *sink, const char *path)
{
	char *text;

	if (!path)
		return;
	text = x_asprintf("%s=%s", sink, path);
	pipeline_option(s, "--to", text);
	free(text);
}

static void add_sink(const struct fullpipe *f, struct pipeline *p)
{
	struct pipeline_stage *s = pipeline_add(p, "sink");

	pipeline_option(s, "--config", f->config);
	pipeline_option(s, "--state", f->state);
	pipeline_option(s, "--to", "terminal");
	add_to(s, "archive", f->archive);
	add_to(s, "file", f->events_file);
	if (f->requires_comparison)
		pipeline_arg(s, "--require-comparison");
}

void fullpipe_build(const struct fullpipe *f, struct pipeline *p)
{
	add_watcher(f, p);
	add_planner(f, p);
	if (f->is_dry_run)
		return;
	add_loader(f, p);
	add_collector(f, p);
	add_sink(f, p);
}
