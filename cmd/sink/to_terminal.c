/*
 * The terminal sink: what a person reads, on standard output.
 *
 * Progress stands in one line that is written over, on a terminal only. A reader that goes away
 * ends the talk and nothing else: the exit code still says what came out.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "cmd/sink/report.h"
#include "cmd/sink/sinks.h"
#include "common/base/strmap.h"
#include "common/base/table.h"

#define PAGE_MAX_BYTES (1024u * 1024u)
#define TOLD_MAX 1024
#define CLEAR_LINE "\r\033[K"

struct terminal {
	struct loop *loop;
	struct loop_timer inventory_timer;
	struct buf page;
	struct look look;
	struct strmap told;    /* run -> the word that was told, owned */
	struct strmap running; /* runs with progress and no end */
	struct strmap accounts;
	size_t first_seen;
	bool is_terminal, has_progress, is_gone;
};

static void write_page(struct terminal *t)
{
	text_tame(&t->page);
	if (!t->is_gone && t->page.len_bytes > 0) {
		if (t->has_progress)
			fputs(CLEAR_LINE, stdout);
		t->has_progress = false;
		fwrite(buf_str(&t->page), 1, t->page.len_bytes, stdout);
		if (fflush(stdout) != 0 && errno == EPIPE) {
			t->is_gone = true;
			clearerr(stdout);
		}
	}
	buf_clear(&t->page);
}

/* Before anything else is said, and when nothing more has come for a while. */
static void tell_inventory(struct terminal *t)
{
	if (t->first_seen == 0)
		return;
	report_inventory(t->first_seen, t->accounts.count, t->accounts.items[0].key, &t->look,
			 &t->page);
	t->first_seen = 0;
	strmap_release(&t->accounts, NULL);
	loop_timer_clear(t->loop, &t->inventory_timer);
	write_page(t);
}

static void inventory_is_over(struct loop *l, struct loop_timer *timer)
{
	(void)l;
	tell_inventory(CONTAINER_OF(timer, struct terminal, inventory_timer));
}

static void note_first_seen(struct terminal *t, const struct event *ev)
{
	struct subject subject;

	if (ev->subject == NULL || subject_parse(ev->subject, &subject) != 0)
		snprintf(subject.account, sizeof(subject.account), "?");
	strmap_put(&t->accounts, subject.account, t);
	t->first_seen++;
	loop_timer_set_in(t->loop, &t->inventory_timer, 2 * NS_PER_S);
}

static void remember(struct terminal *t, const struct event *ev)
{
	const char *verdict = json_get_str(ev->data, "verdict");
	const char *outcome = json_get_str(ev->data, "outcome");
	bool is_valid = outcome != NULL && strcmp(outcome, "valid") == 0;
	const char *word = is_valid ? verdict : outcome;

	if (ev->run != NULL)
		free(strmap_put(&t->told, ev->run, x_strdup(word ? word : "?")));
	while (t->told.count > TOLD_MAX)
		free(strmap_remove(&t->told, t->told.items[0].key));
}

/* Read anew each time: people resize their windows. */
static size_t columns(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20)
		return 79;
	return (size_t)size.ws_col - 1;
}

static void tell_run(struct terminal *t, const struct event *ev)
{
	const char *before = ev->run ? strmap_get(&t->told, ev->run) : NULL;

	if (ev->run != NULL)
		strmap_remove(&t->running, ev->run);
	if (report_is_first_seen(ev)) {
		note_first_seen(t, ev);
		return;
	}
	tell_inventory(t);
	t->look.width = t->is_terminal ? columns() : 0;
	if (json_get_int(ev->data, "rev", 0) > 0 && before != NULL)
		report_amendment(ev, before, &t->look, &t->page);
	else
		report_run(ev, &t->look, &t->page);
	remember(t, ev);
	write_page(t);
}

static void tell_removed(struct terminal *t, const struct event *ev)
{
	tell_inventory(t);
	report_removed(ev, &t->look, &t->page);
	write_page(t);
}

static void tell_progress(struct terminal *t, const struct event *ev)
{
	if (!t->is_terminal || t->is_gone || json_int(json_at(ev->data, "shard.index")) > 0)
		return; /* one line for a run: the first of its shards speaks for all */
	if (ev->run != NULL)
		strmap_put(&t->running, ev->run, t);
	report_progress(ev, t->running.count > 0 ? t->running.count - 1 : 0, columns(), &t->page);
	text_tame(&t->page);
	fputs(CLEAR_LINE, stdout);
	fwrite(buf_str(&t->page), 1, t->page.len_bytes, stdout);
	fflush(stdout);
	buf_clear(&t->page);
	t->has_progress = true;
}

static enum exit_code terminal_open(struct sink *s)
{
	struct terminal *t = x_calloc(1, sizeof(*t));

	t->loop = stage_loop(s->world->st);
	t->inventory_timer.run = inventory_is_over;
	t->is_terminal = isatty(STDOUT_FILENO);
	t->look.has_colour = text_has_colour(STDOUT_FILENO);
	buf_init(&t->page, PAGE_MAX_BYTES);
	s->own = t;
	return EXIT_FINE;
}

static int terminal_deliver(struct sink *s, const struct event *ev)
{
	struct terminal *t = s->own;

	if (ev->kind == EV_RUN_FINISHED)
		tell_run(t, ev);
	else if (ev->kind == EV_FUNCTION_REMOVED)
		tell_removed(t, ev);
	else
		tell_progress(t, ev);
	return 0;
}

static void terminal_end(struct sink *s)
{
	struct terminal *t = s->own;

	tell_inventory(t);
	if (t->has_progress && !t->is_gone)
		fputs(CLEAR_LINE, stdout);
	t->has_progress = false;
}

static enum exit_code terminal_close(struct sink *s)
{
	struct terminal *t = s->own;

	loop_timer_clear(t->loop, &t->inventory_timer);
	strmap_release(&t->told, free);
	strmap_release(&t->accounts, NULL);
	strmap_release(&t->running, NULL);
	buf_release(&t->page);
	free(t);
	return EXIT_FINE;
}

const struct sink_kind sink_terminal = {
	.name = "terminal",
	.help = "a summary for people on standard output",
	.wants = EV_BIT(EV_RUN_FINISHED) | EV_BIT(EV_FUNCTION_REMOVED) | EV_BIT(EV_SHARD_PROGRESS),
	.open = terminal_open,
	.deliver = terminal_deliver,
	.end = terminal_end,
	.close = terminal_close,
};
