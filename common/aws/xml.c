#include "common/aws/xml.h"

#include <errno.h>
#include <string.h>

#include "common/base/unit.h"

/* The end of what starts with this "<": just behind its ">" (or "-->" and the like); or end. */
static const char *skip_markup(const char *at, const char *end)
{
	static const struct {
		const char *open, *close;
	} kinds[] = {{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}, {"<", ">"}};
	size_t left = (size_t)(end - at);

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		size_t open = strlen(kinds[i].open), close = strlen(kinds[i].close);
		const char *hit;

		if (left < open || memcmp(at, kinds[i].open, open) != 0)
			continue;
		hit = memmem(at + open, left - open, kinds[i].close, close);
		return hit ? hit + close : end;
	}
	return end;
}

/* Is the markup at..after the start tag <name ...> or <ns:name ...>? */
static bool is_start_of(const char *at, const char *after, const char *name)
{
	const char *word = at + 1, *colon;
	size_t len = strcspn(word, " \t\r\n/>"), name_bytes = strlen(name);

	if (word + len >= after || after[-2] == '/')
		return false;
	colon = memchr(word, ':', len);
	if (colon) {
		len -= (size_t)(colon + 1 - word);
		word = colon + 1;
	}
	return len == name_bytes && !memcmp(word, name, len);
}

static int add_entity(const char *name, size_t len_bytes, struct buf *out)
{
	static const struct {
		const char *name;
		char c;
	} known[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
	char text[8];
	uint64_t code;

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strlen(known[i].name) == len_bytes && !memcmp(known[i].name, name, len_bytes)) {
			buf_addc(out, known[i].c);
			return 0;
		}
	}
	if (len_bytes < 2 || *name != '#' || len_bytes > sizeof(text))
		return -EINVAL;
	(void)snprintf(text, sizeof(text), "%.*s", (int)len_bytes - 1, name + 1);
	if (unit_parse_u64(text, &code) != 0 || code == 0 || code > 127)
		return -EINVAL;
	buf_addc(out, (char)code);
	return 0;
}

static int add_decoded(const char *at, const char *end, struct buf *out)
{
	while (at < end) {
		const char *semicolon;

		if (*at != '&') {
			buf_addc(out, *at++);
			continue;
		}
		semicolon = memchr(at, ';', (size_t)(end - at));
		if (!semicolon || add_entity(at + 1, (size_t)(semicolon - at - 1), out) != 0)
			return -EINVAL;
		at = semicolon + 1;
	}
	return buf_is_over(out) ? -E2BIG : 0;
}

int xml_text(const char *xml, size_t len_bytes, const char *name, struct buf *out)
{
	const char *end = xml + len_bytes;
	const char *at = memchr(xml, '<', len_bytes);

	while (at && at < end) {
		const char *after = skip_markup(at, end);

		if (after[-1] == '>' && is_start_of(at, after, name)) {
			const char *close = memchr(after, '<', (size_t)(end - after));

			if (!close || close + 1 >= end || close[1] != '/')
				return -EINVAL;
			return add_decoded(after, close, out);
		}
		at = memchr(after, '<', (size_t)(end - after));
	}
	return -ENOENT;
}
