#include "cmd/plimsoll/bus_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/plimsoll/look.h"
#include "common/base/log.h"
#include "common/base/unit.h"
#include "common/jobs/jobs.h"
#include "common/json/json.h"

#define ROWS_MAX 30 /* of each list */
#define NOTE_MAX_BYTES ((size_t)4 * 1024)
#define HINT_MAX_BYTES ((size_t)64 * 1024)
#define SILENT_MS 60000

/* A row of pl_list, in its order. */
enum { ID, FUNCTION, KIND, AGE_MS, DUE_MS, END, WHY, ATTEMPT, NOTE, FIELDS };

struct row {
	const char *field[FIELDS];
};

static void add_try(const struct row *r, struct buf *out)
{
	if (strtol(r->field[ATTEMPT], NULL, 10) > 1)
		buf_addf(out, ", try %s", r->field[ATTEMPT]);
}

static void of_queued(const struct row *r, struct buf *out)
{
	buf_adds(out, strcmp(r->field[KIND], "confirm") == 0 ? "a worse is to be confirmed"
							     : "is to be planned");
}

static void of_planned(const struct row *r, struct buf *out)
{
	buf_addf(out, "waits for %s", r->field[NOTE]);
	if (*r->field[WHY])
		buf_addf(out, "; lost after try %s: %s", r->field[ATTEMPT], r->field[WHY]);
}

static void of_active(const struct row *r, struct buf *out)
{
	buf_addf(out, "on %s", r->field[NOTE]);
	add_try(r, out);
	if (*r->field[WHY])
		buf_addf(out, "; is being stopped: %s", r->field[WHY]);
}

static void of_measured(const struct row *r, struct buf *out)
{
	if (*r->field[END])
		buf_addf(out, "ended %s: %s; is to be told", r->field[END], r->field[WHY]);
	else
		buf_adds(out, "is to be judged");
}

static void of_judged(const struct row *r, struct buf *out)
{
	buf_adds(out, *r->field[END] ? r->field[END] : "has a verdict");
	buf_adds(out, "; is to be told");
}

static void of_dead(const struct row *r, struct buf *out)
{
	buf_adds(out, r->field[WHY]);
	add_try(r, out);
}

static const struct list {
	const char *name;
	enum text_style style;
	void (*note)(const struct row *r, struct buf *out);
} lists[] = {
	{"queued", TEXT_PLAIN, of_queued}, {"planned", TEXT_PLAIN, of_planned},
	{"active", TEXT_BOLD, of_active},  {"measured", TEXT_PLAIN, of_measured},
	{"judged", TEXT_PLAIN, of_judged}, {"dead", TEXT_BAD, of_dead},
};

struct view {
	struct table table;
	const struct list *list;
	const char *subject;
	size_t rows;
};

bool bus_view_wanted(const struct settings *s)
{
	return s->config->bus.is_set && s->config->bus.redis;
}

static void head(struct table *t)
{
	static const char *const names[] = {"", "function", "since", "for", "id", "why"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		table_cell(t, names[i], TEXT_DIM);
	table_end_row(t);
}

static void add_row(struct view *v, const struct row *r)
{
	struct buf note = BUF_INIT(NOTE_MAX_BYTES);
	char since[UNIT_TEXT_SIZE];

	if (!v->rows++)
		head(&v->table);
	unit_format_duration_ns(strtoll(r->field[AGE_MS], NULL, 10) * NS_PER_MS, since);
	v->list->note(r, &note);
	table_cell(&v->table, v->list->name, v->list->style);
	table_cell(&v->table, r->field[FUNCTION], TEXT_BOLD);
	table_cell(&v->table, since, TEXT_PLAIN);
	table_cell(&v->table, r->field[KIND], TEXT_PLAIN);
	table_cell(&v->table, r->field[ID], TEXT_DIM);
	table_cell(&v->table, buf_str(&note), TEXT_PLAIN);
	table_end_row(&v->table);
	buf_release(&note);
}

static void on_list(const struct redis_reply *reply, void *ctx)
{
	struct view *v = ctx;

	for (size_t i = 2; i + FIELDS <= reply->count; i += FIELDS) {
		struct row r;

		for (size_t k = 0; k < FIELDS; k++)
			r.field[k] = look_or_dash(reply->parts[i + k].data);
		for (size_t k = END; k < FIELDS; k++)
			r.field[k] = reply->parts[i + k].data ? reply->parts[i + k].data : "";
		if (!v->subject || strcmp(v->subject, r.field[FUNCTION]) == 0)
			add_row(v, &r);
	}
}

/* Of one function all are looked at, so that no other's hide them. */
static enum exit_code ask_list(struct bus_door *bus, struct view *v)
{
	struct redis_args a = jobs_args("pl_list");

	redis_arg(&a, v->list->name);
	redis_arg_int(&a, v->subject ? 1000 : ROWS_MAX);
	return bus_door_fcall(bus, &a, on_list, v);
}

/* ---- counts ---- */

struct counts {
	struct {
		char name[24];
		int64_t value;
	} all[32];
	size_t count;
	char money_day[16];
};

static void on_status(const struct redis_reply *reply, void *ctx)
{
	struct counts *c = ctx;

	for (size_t i = 1; i + 1 < reply->count && c->count < ARRAY_LEN(c->all); i += 2) {
		const char *name = reply->parts[i].data, *value = reply->parts[i + 1].data;

		if (!name || !value)
			continue;
		if (strcmp(name, "money_day") == 0)
			snprintf(c->money_day, sizeof(c->money_day), "%s", value);
		snprintf(c->all[c->count].name, sizeof(c->all[0].name), "%s", name);
		c->all[c->count++].value = strtoll(value, NULL, 10);
	}
}

static int64_t count_of(const struct counts *c, const char *name)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->all[i].name, name) == 0)
			return c->all[i].value;
	return 0;
}

static void print_counts(const struct counts *c)
{
	char money[UNIT_TEXT_SIZE];

	fputs("services:", stdout);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		printf("%s %lld %s", i ? "," : "", (long long)count_of(c, lists[i].name),
		       lists[i].name);
	printf("; to be told of %lld functions", (long long)count_of(c, "outbox"));
	if (*c->money_day) {
		unit_format_money(count_of(c, "money_booked"), money);
		look_printf("; %s booked on %s", money, c->money_day);
	}
	putchar('\n');
}

/* ---- loaders ---- */

/* A hint of the broker: {"free":1,"slots":2,"heard_ms":...}. */
static void print_loader(const char *name, const char *text)
{
	struct json *o = NULL;
	char silent[UNIT_TEXT_SIZE];
	int64_t silent_ms, slots;

	if (json_parse(text, strlen(text), HINT_MAX_BYTES, &o, NULL) != 0)
		return;
	slots = json_get_int(o, "slots", 0);
	silent_ms = wall_ms(wall_now()) - json_get_int(o, "heard_ms", 0);
	unit_format_duration_ns(silent_ms * NS_PER_MS, silent);
	if (silent_ms > SILENT_MS)
		look_printf("loader %s: not heard of for %s\n", name, silent);
	else
		look_printf("loader %s: %lld of %lld slots at work\n", name,
			    (long long)(slots - json_get_int(o, "free", 0)), (long long)slots);
	json_free(o);
}

static void on_loaders(const struct redis_reply *reply, void *ctx)
{
	(void)ctx;
	for (size_t i = 2; i + 1 < reply->count; i += 2)
		if (reply->parts[i].data && reply->parts[i + 1].data)
			print_loader(reply->parts[i].data, reply->parts[i + 1].data);
}

static enum exit_code tell_loaders(struct bus_door *bus)
{
	struct redis_args a = jobs_args("pl_list");

	redis_arg(&a, "loaders");
	return bus_door_fcall(bus, &a, on_loaders, NULL);
}

/* ---- memory ---- */

struct memory {
	int64_t used_bytes, most_bytes;
};

static int64_t number_after(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

/* Who may not ask does without. */
static void on_memory(const struct redis_reply *reply, void *ctx)
{
	struct memory *m = ctx;

	if (reply->is_error || reply->count != 1 || !reply->parts[0].data)
		return;
	m->used_bytes = number_after(reply->parts[0].data, "\nused_memory:");
	m->most_bytes = number_after(reply->parts[0].data, "\nmaxmemory:");
}

static enum exit_code tell_memory(struct bus_door *bus)
{
	struct redis_args a = REDIS_ARGS_INIT;
	struct memory m = {0};
	enum exit_code code;

	redis_arg(&a, "INFO");
	redis_arg(&a, "memory");
	code = bus_door_ask(bus, &a, on_memory, &m);
	if (code == EXIT_FINE && m.most_bytes > 0 && m.used_bytes >= m.most_bytes)
		puts("Redis is full: no change is taken in until there is room; what is under way "
		     "comes to its end. docs/RUNBOOK.md says what to do.");
	return code;
}

static void tell_more(const struct counts *c)
{
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (count_of(c, lists[i].name) > ROWS_MAX)
			printf("and %lld more %s\n",
			       (long long)count_of(c, lists[i].name) - ROWS_MAX, lists[i].name);
}

static enum exit_code print_status(struct bus_door *bus, const char *subject)
{
	struct redis_args a = jobs_args("pl_status");
	struct view v = {.subject = subject};
	struct counts c = {0};
	enum exit_code code = bus_door_fcall(bus, &a, on_status, &c);

	if (code == EXIT_FINE) {
		print_counts(&c);
		code = tell_memory(bus);
	}
	if (code == EXIT_FINE && !subject)
		code = tell_loaders(bus);
	for (size_t i = 0; i < ARRAY_LEN(lists) && code == EXIT_FINE; i++) {
		v.list = &lists[i];
		code = ask_list(bus, &v);
	}
	if (v.rows)
		look_print(&v.table);
	if (code == EXIT_FINE && !subject)
		tell_more(&c);
	table_release(&v.table);
	return code;
}

enum exit_code bus_view_status(const struct settings *s, const struct bus_opts *o,
			       const char *subject)
{
	struct bus_door bus;
	enum exit_code code = bus_door_open(&bus, s->path, o);

	if (code == EXIT_FINE)
		code = print_status(&bus, subject);
	bus_door_close(&bus);
	return code;
}

enum exit_code bus_view_list(struct bus_door *bus, const char *what)
{
	struct view v = {.list = lists};
	enum exit_code code;

	while (strcmp(v.list->name, what) != 0)
		v.list++;
	code = ask_list(bus, &v);
	if (v.rows)
		look_print(&v.table);
	else if (code == EXIT_FINE)
		printf("none is %s\n", what);
	table_release(&v.table);
	return code;
}

/* ---- one run ---- */

static void on_run(const struct redis_reply *reply, void *ctx)
{
	struct view *v = ctx;

	for (size_t i = 1; i + 1 < reply->count; i += 2) {
		table_cell(&v->table, look_or_dash(reply->parts[i].data), TEXT_DIM);
		table_cell(&v->table, look_or_dash(reply->parts[i + 1].data), TEXT_PLAIN);
		table_end_row(&v->table);
		v->rows++;
	}
}

enum exit_code bus_view_run(struct bus_door *bus, const char *id)
{
	struct redis_args a = jobs_args("pl_show");
	struct view v = {0};
	enum exit_code code;

	redis_arg(&a, id);
	code = bus_door_fcall(bus, &a, on_run, &v);
	if (v.rows)
		look_print(&v.table);
	table_release(&v.table);
	if (code != EXIT_FINE || v.rows)
		return code;
	log_error("Redis knows no run or change %s; plimsoll status lists those that are not at "
		  "their end",
		  id);
	return EXIT_USAGE;
}
