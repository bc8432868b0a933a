/* ledger.c - the planner's documents. */
#include "cmd/planner/ledger.h"

#include <stdio.h>
#include <string.h>

#define DAY_SIZE 11 /* "2026-11-22" and its NUL */

void ledger_key(const char *folder, const char *subject, char out[LEDGER_KEY_SIZE])
{
	snprintf(out, LEDGER_KEY_SIZE, "%s/%s", folder, subject);
}

static void day_of(struct wall at, char out[DAY_SIZE])
{
	char text[WALL_RFC3339_SIZE];

	wall_format_rfc3339(at, text);
	snprintf(out, DAY_SIZE, "%.10s", text);
}

int64_t ledger_spent(const struct json *doc, struct wall at)
{
	const char *day = json_get_str(doc, "day");
	char today[DAY_SIZE];

	day_of(at, today);
	return day && strcmp(day, today) == 0 ? json_get_int(doc, "micro_usd", 0) : 0;
}

struct json *ledger_spend(const struct json *doc, struct wall at, int64_t micro_usd)
{
	struct json *o = json_obj();
	char today[DAY_SIZE];

	day_of(at, today);
	json_put_str(o, "day", today);
	json_put_int(o, "micro_usd", ledger_spent(doc, at) + micro_usd);
	return o;
}

struct json *ledger_note_plan(const struct json *doc, struct wall at, const struct plan *plan)
{
	struct json *o = doc ? json_copy(doc) : json_obj(), *entry = json_obj();
	char text[WALL_RFC3339_SIZE];

	wall_format_rfc3339(at, text);
	json_put_str(entry, "at", text);
	json_put_str(entry, "run", plan->run_id);
	json_put_str(entry, "confirms", json_str(json_at(plan->run, "run.confirms")));
	json_put_int(entry, "spent_micro_usd", plan->spent_micro_usd);
	if (!json_is(json_get(o, "tests"), JSON_T_OBJ))
		json_put(o, "tests", json_obj());
	json_put(json_get(o, "tests"), plan->test, entry);
	return o;
}

static bool has_text(const struct json *o, const char *key, const char *text)
{
	const char *own = json_get_str(o, key);

	return own && text && strcmp(own, text) == 0;
}

struct json *ledger_past(const struct json *history, const struct json *accepted, const char *test)
{
	const struct json *all = json_get(json_get(history, "tests"), test);
	const char *run = json_get_str(accepted, "run");
	struct json *out = json_arr();
	size_t first = 0;

	for (size_t i = 0; i < json_len(all); i++)
		if (has_text(json_elem(all, i), "run", run))
			first = i;
	for (size_t i = first; i < json_len(all); i++) {
		const struct json *entry = json_elem(all, i);

		if (!has_text(entry, "verdict", "worse") || has_text(entry, "run", run))
			json_push(out, json_copy(entry));
	}
	return out;
}

const struct json *ledger_first(const struct json *history, const char *test, const char *run)
{
	const struct json *all = json_get(json_get(history, "tests"), test);

	for (size_t i = 0; i < json_len(all); i++)
		if (has_text(json_elem(all, i), "run", run))
			return json_get(json_elem(all, i), "first");
	return NULL;
}
