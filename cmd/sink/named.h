/*
 * named.h - finds the element of a list of objects by its name.
 */
#ifndef PLIMSOLL_SINK_NAMED_H
#define PLIMSOLL_SINK_NAMED_H

#include <string.h>

#include "common/json/json.h"

/* The first element whose "name" is this; borrowed, NULL when there is none. */
static inline const struct json *json_named(const struct json *list, const char *name)
{
	for (size_t i = 0; i < json_len(list); i++) {
		const char *own = json_get_str(json_elem(list, i), "name");

		if (own != NULL && strcmp(own, name) == 0)
			return json_elem(list, i);
	}
	return NULL;
}

#endif
