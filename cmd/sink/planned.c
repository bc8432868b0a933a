#include "cmd/sink/planned.h"

#include "common/base/log.h"

/* How a plan without an answer ends. The first row is for words that we do not know. */
static const struct {
	const char *decision, *outcome, *verdict, *reason;
} ends[] = {
	{"test", "incomplete", "cannot-tell", "no result came before the input ended"},
	{"skip", "skipped", "not-compared", NULL},
	{"refuse", "refused", "cannot-tell", NULL},
};

static size_t end_of(const char *decision)
{
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		if (decision != NULL && strcmp(decision, ends[i].decision) == 0)
			return i;
	}
	return 0;
}

/* What run.finished says as planned: the plan itself may be long and there may be many. */
static struct json *in_short(const struct event *ev)
{
	static const char *const kept[] = {"run", "change", "test", "compare", "variants"};
	size_t end = end_of(json_get_str(ev->data, "decision"));
	const char *reason = ends[end].reason;
	struct json *data = json_obj(), *entry = json_obj();

	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		struct json *value = json_get(ev->data, kept[i]);

		if (value != NULL)
			json_put(data, kept[i], json_copy(value));
	}
	json_put_str(data, "outcome", ends[end].outcome);
	json_put_str(data, "reason", reason ? reason : json_get_str(ev->data, "reason"));
	json_put_int(data, "rev", 0);
	json_put_str(data, "verdict", ends[end].verdict);
	json_put(data, "metrics", json_arr());
	json_put(data, "objectives", json_arr());
	json_put_str(data, "cost_usd", "0.000000");
	json_put_str(entry, "subject", ev->subject);
	json_put(entry, "data", data);
	return entry;
}

static const char *run_of(const struct event *ev)
{
	const char *run = json_str(json_at(ev->data, "run.id"));

	return run ? run : ev->run;
}

void planned_add(struct planned *p, const struct event *ev)
{
	const char *run = run_of(ev);

	if (run != NULL)
		json_free(strmap_put(&p->open, run, in_short(ev)));
}

void planned_remove(struct planned *p, const char *run)
{
	if (run != NULL)
		json_free(strmap_remove(&p->open, run));
}

size_t planned_count(const struct planned *p)
{
	size_t count = 0;

	for (size_t i = 0; i < p->open.count; i++) {
		const char *outcome = json_str(json_at(p->open.items[i].value, "data.outcome"));

		count += strcmp(outcome, ends[0].outcome) == 0;
	}
	return count;
}

static int make(const char *run, struct json *entry, struct wall now, struct event *out)
{
	char why[EVENT_WHY_SIZE], at[WALL_RFC3339_SIZE];
	struct json *data = json_ref(json_get(entry, "data"));
	char *id = x_asprintf("%s.f0", run);
	int rc;

	wall_format_rfc3339(now, at);
	json_put_str(data, "finished_at", at);
	rc = event_new(out, EV_RUN_FINISHED, id, json_get_str(entry, "subject"), run, now, data,
		       why);
	if (rc != 0)
		log_error("cannot say how run %s ended: %s", run, why);
	free(id);
	return rc;
}

bool planned_next(struct planned *p, struct wall now, struct event *out)
{
	while (p->open.count > 0) {
		char *run = x_strdup(p->open.items[0].key);
		struct json *entry = strmap_remove(&p->open, run);
		int rc = make(run, entry, now, out);

		json_free(entry);
		free(run);
		if (rc == 0)
			return true;
	}
	return false;
}

static void free_entry(void *value)
{
	json_free(value);
}

void planned_release(struct planned *p)
{
	strmap_release(&p->open, free_entry);
}
