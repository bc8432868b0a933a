/* ledger.c - the planner's documents. */
#include "cmd/planner/ledger.h"

#include <stdio.h>
#include <string.h>

#define DAY_SIZE 11 /* "2026-11-22" and its NUL */

void ledger_function_key(const char *subject, char out[LEDGER_KEY_SIZE])
{
	snprintf(out, LEDGER_KEY_SIZE, "planner/functions/%s", subject);
}

void ledger_duration_key(const char *subject, char out[LEDGER_KEY_SIZE])
{
	snprintf(out, LEDGER_KEY_SIZE, "durations/%s", subject);
}

void ledger_accepted_key(const char *subject, char out[LEDGER_KEY_SIZE])
{
	snprintf(out, LEDGER_KEY_SIZE, "accepted/%s", subject);
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
	if (!json_is(json_get(o, "tests"), JSON_T_OBJ))
		json_put(o, "tests", json_obj());
	json_put(json_get(o, "tests"), plan->test, entry);
	return o;
}
