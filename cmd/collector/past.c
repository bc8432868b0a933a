#include "cmd/collector/past.h"

#include <math.h>
#include <string.h>

static struct json *metrics_of(const struct judgement *j)
{
	struct json *o = json_obj();

	for (size_t i = 0; i < j->metric_count; i++) {
		const struct judged_metric *m = &j->metrics[i];
		struct json *v;

		if (!m->is_known || !m->est.has_new || !isfinite(m->est.new))
			continue;
		v = json_obj();
		json_put_real(v, "value", m->est.new);
		json_put_int(v, "n", (int64_t)m->est.n_new);
		json_put(o, m->name, v);
	}
	return o;
}

static bool is_of_run(const struct json *entry, const char *run)
{
	const char *own = json_get_str(entry, "run");

	return own && strcmp(own, run) == 0;
}

/* The others of this test, as many as leave room for one more. */
static struct json *kept(const struct json *list, const char *run)
{
	struct json *out = json_arr();
	size_t count = json_len(list);

	for (size_t i = count >= PAST_RUNS_MAX ? count - PAST_RUNS_MAX + 1 : 0; i < count; i++) {
		struct json *entry;

		if (is_of_run(json_elem(list, i), run))
			continue;
		entry = json_copy(json_elem(list, i));
		json_del(entry, "first");
		json_push(out, entry);
	}
	return out;
}

struct json *past_add(const struct json *doc, const struct json *plan, const struct gathered *g,
		      const struct judgement *j, struct wall at)
{
	const char *test = json_get_str(plan, "test"), *run = json_str(json_at(plan, "run.id"));
	struct json *out, *entry, *list;
	char text[WALL_RFC3339_SIZE];

	if (j->outcome != RUN_VALID || !test || !run)
		return NULL;
	out = doc ? json_copy(doc) : json_obj();
	if (!json_is(json_get(out, "tests"), JSON_T_OBJ))
		json_put(out, "tests", json_obj());
	list = kept(json_get(json_get(out, "tests"), test), run);
	entry = json_obj();
	json_put_str(entry, "run", run);
	wall_format_rfc3339(at, text);
	json_put_str(entry, "at", text);
	json_put_str(entry, "verdict", verdict_name(j->verdict));
	json_put(entry, "metrics", metrics_of(j));
	if (j->confirm_wanted)
		json_put(entry, "first", again_keep(g, j));
	json_push(list, entry);
	json_put(json_get(out, "tests"), test, list);
	return out;
}
