/*
 * ini.h - the shared config and credentials files of the AWS SDKs (rank 3).
 *
 * [section], key = value, comments in lines of their own (# or ;), and one level of nesting:
 * indented "name = value" lines under a key without a value are read as "key.name". Keys are
 * folded to lower case; of repeated keys the last counts. Bounded: INI_MAX_BYTES.
 *
 *	struct ini *f;
 *	rc = ini_parse(text, len, &f, why);
 *	const char *region = ini_get(f, "profile dev", "region");
 *	ini_free(f);			// wipes: values may be secrets
 */
#ifndef PLIMSOLL_AWS_INI_H
#define PLIMSOLL_AWS_INI_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/bug.h"

#define INI_MAX_BYTES (1024u * 1024u)
#define INI_WHY_SIZE 80

struct ini;

/* -EINVAL with "line N: ..." in why. */
MUST_CHECK int ini_parse(const char *text, size_t len_bytes, struct ini **out,
			 char why[INI_WHY_SIZE]);
/* -errno when the file cannot be read (-ENOENT: there is none), else as ini_parse. */
MUST_CHECK int ini_load(const char *path, struct ini **out, char why[INI_WHY_SIZE]);
void ini_free(struct ini *f);
/* Borrowed; NULL when absent. f may be NULL. Quotes round a section's name do not count. */
const char *ini_get(const struct ini *f, const char *section, const char *key);
bool ini_has_section(const struct ini *f, const char *section);

#endif
