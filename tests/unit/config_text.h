/* config_text.h - a configuration from a text, and its mistakes as a person reads them; for the
 * tests of common/config. */
#ifndef PLIMSOLL_TESTS_CONFIG_TEXT_H
#define PLIMSOLL_TESTS_CONFIG_TEXT_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/config/config.h"

static inline struct config *parse(const char *text, struct config_errors *errs)
{
	struct config *c = NULL;
	int rc = config_parse("f.yaml", text, strlen(text), &c, errs);

	assert_int_equal(rc, errs->count ? -EINVAL : 0);
	return c;
}

static inline char *printed(const struct config_errors *errs)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	assert_non_null(f);
	config_errors_print(errs, f);
	fclose(f);
	return out;
}

#endif
