/*
 * example.h - the events of tests/data/example.json, for unit tests (run from the top folder).
 */
#ifndef PLIMSOLL_TESTS_EXAMPLE_H
#define PLIMSOLL_TESTS_EXAMPLE_H

#include "common/base/bug.h"
#include "common/base/fsio.h"
#include "common/json/json.h"

/* A copy of the first event of a kind ("run.finished"); the caller frees it. */
static inline struct json *example(const char *kind)
{
	struct buf text = BUF_INIT(1 << 20);
	struct json *all, *found = NULL;
	char type[64];

	snprintf(type, sizeof(type), "plimsoll.%s.v1", kind);
	BUG_ON(fs_read("tests/data/example.json", &text) != 0);
	BUG_ON(json_parse(buf_str(&text), text.len_bytes, 1 << 20, &all, NULL) != 0);
	for (size_t i = 0; i < json_len(all) && found == NULL; i++) {
		if (strcmp(json_get_str(json_elem(all, i), "type"), type) == 0)
			found = json_copy(json_elem(all, i));
	}
	BUG_ON(found == NULL);
	json_free(all);
	buf_release(&text);
	return found;
}

#endif
