/*
 * reserve.c - what a run takes of what all runs share, for the bus to set aside.
 *
 * Whole numbers only: sums of them come back to nothing when all is given back. A rate counts in
 * calls in 1000 s.
 */
#include <math.h>
#include <string.h>

#include "cmd/planner/draft.h"
#include "common/base/unit.h"

#define RATE_UNIT_S 1000

static void add(struct json *list, const char *name, int64_t amount, int64_t limit)
{
	struct json *o = json_obj();

	json_put_str(o, "name", name);
	json_put_int(o, "amount", amount);
	json_put_int(o, "limit", limit);
	json_push(list, o);
}

/* A function with a reservation of its own takes nothing of the account's. */
static void add_account(const struct draft *d, struct json *list)
{
	char name[sizeof("concurrency:") + NAME_MAX_BYTES];

	if (d->room.of_account == ROOM_UNBOUND)
		return;
	snprintf(name, sizeof(name), "concurrency:%s", d->account->name);
	add(list, name, d->shape.in_flight, d->room.of_account);
}

struct json *write_reserve(const struct draft *d)
{
	const struct config_limits *limits = &d->in->config->limits;
	struct json *o = json_obj(), *list = json_arr();
	char day[WALL_RFC3339_SIZE], usd[UNIT_TEXT_SIZE];

	wall_format_rfc3339(d->in->event->time, day);
	day[strcspn(day, "T")] = '\0';
	unit_format_usd(limits->cost_per_day_micro_usd, usd);
	json_put_str(o, "day", day);
	json_put_str(o, "cost_per_day_usd", usd);
	add_account(d, list);
	add(list, "concurrency", d->shape.in_flight, limits->concurrency);
	if (shape_is_open(&d->shape))
		add(list, "rate", (int64_t)ceil(shape_peak_per_s(&d->shape) * RATE_UNIT_S),
		    (int64_t)ceil(limits->rate_per_s * RATE_UNIT_S));
	json_put(o, "resources", list);
	return o;
}
