/*
 * json_own.h - the door itself: jansson's values under our name, for common/json/ *.c only.
 *
 * jansson.h stands first because json.h renames the three names that both would use; what is
 * needed of jansson under such a name is captured here before that.
 */
#ifndef PLIMSOLL_JSON_JSON_OWN_H
#define PLIMSOLL_JSON_JSON_OWN_H

#include <jansson.h>

static inline json_t *lib_real(double d)
{
	return json_real(d);
}

#include "common/json/json.h"

static inline json_t *lib(const struct json *v)
{
	return (json_t *)(const void *)v;
}

static inline struct json *own(json_t *v)
{
	return (struct json *)(void *)v;
}

#endif
