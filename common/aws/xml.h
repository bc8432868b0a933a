/*
 * xml.h - the text of a leaf element, for the four words that STS answers with (rank 3).
 *
 * No parser: it looks for <name> whose content is plain text and decodes the five named entities
 * and character references below 128. Comments, CDATA and processing instructions are skipped,
 * namespaces and attributes ignored.
 *
 *	struct buf key = BUF_INIT(4096);
 *	if (xml_text(body, len, "AccessKeyId", &key) == 0) ...
 */
#ifndef PLIMSOLL_AWS_XML_H
#define PLIMSOLL_AWS_XML_H

#include "common/base/buf.h"

/* Appends the text of the first such element. -ENOENT, -EINVAL (not a leaf, odd entity), -E2BIG. */
MUST_CHECK int xml_text(const char *xml, size_t len_bytes, const char *name, struct buf *out);

#endif
