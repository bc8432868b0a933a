#include "common/aws/ini.h"

#include <ctype.h>
#include <errno.h>

#include "common/base/buf.h"
#include "common/base/fsio.h"
#include "common/base/strmap.h"
#include "common/digest/digest.h"

/* Values by "section\nkey"; a section alone stands as "section\n". */
struct ini {
	struct strmap values;
};

struct reader {
	struct ini *f;
	struct buf section, parent, key; /* parent: the key whose value is nested, or empty */
	int line_no;
	const char *why;
};

struct span {
	const char *at;
	size_t len_bytes;
};

static struct span trim(const char *at, size_t len_bytes)
{
	while (len_bytes && isspace((unsigned char)*at)) {
		at++;
		len_bytes--;
	}
	while (len_bytes && isspace((unsigned char)at[len_bytes - 1]))
		len_bytes--;
	return (struct span){at, len_bytes};
}

static void free_value(void *value)
{
	digest_wipe(value, strlen(value));
	free(value);
}

static void put(struct reader *r, struct span value)
{
	void *old;

	old = strmap_put(&r->f->values, buf_str(&r->key), x_strndup(value.at, value.len_bytes));
	if (old)
		free_value(old);
}

static void set_key(struct reader *r, struct span key)
{
	buf_clear(&r->key);
	buf_addf(&r->key, "%s\n", buf_str(&r->section));
	if (r->parent.len_bytes)
		buf_addf(&r->key, "%s.", buf_str(&r->parent));
	for (size_t i = 0; i < key.len_bytes; i++)
		buf_addc(&r->key, (char)tolower((unsigned char)key.at[i]));
}

/* "[profile \"a b\"]" -> "profile a b". */
static void open_section(struct reader *r, struct span line)
{
	const char *end = memchr(line.at, ']', line.len_bytes);
	struct span name;
	bool was_space = false;

	if (!end) {
		r->why = "a section has no ]";
		return;
	}
	buf_clear(&r->section);
	buf_clear(&r->parent);
	name = trim(line.at + 1, (size_t)(end - line.at - 1));
	for (size_t i = 0; i < name.len_bytes; i++) {
		char c = name.at[i];
		bool is_blank = c == ' ' || c == '\t';

		if (c != '"' && c != '\'' && !(is_blank && was_space))
			buf_addc(&r->section, is_blank ? ' ' : c);
		was_space = is_blank;
	}
	set_key(r, (struct span){"", 0});
	put(r, (struct span){"", 0});
}

static void take_pair(struct reader *r, struct span line, bool is_indented)
{
	const char *equals = memchr(line.at, '=', line.len_bytes);
	struct span key, value;

	if (!equals) {
		if (!is_indented) /* an indented line may go on with the value above: not read */
			r->why = "expected key = value";
		return;
	}
	if (!r->section.len_bytes) {
		r->why = "a key stands before the first [section]";
		return;
	}
	key = trim(line.at, (size_t)(equals - line.at));
	value = trim(equals + 1, line.len_bytes - (size_t)(equals + 1 - line.at));
	if (!is_indented)
		buf_clear(&r->parent);
	set_key(r, key);
	put(r, value);
	if (!is_indented && !value.len_bytes)
		for (size_t i = 0; i < key.len_bytes; i++)
			buf_addc(&r->parent, (char)tolower((unsigned char)key.at[i]));
}

static void take_line(struct reader *r, const char *text, size_t len_bytes)
{
	struct span line = trim(text, len_bytes);
	bool is_indented = line.at > text && r->parent.len_bytes > 0;

	if (!line.len_bytes || *line.at == '#' || *line.at == ';')
		return;
	if (memchr(line.at, '\0', line.len_bytes))
		r->why = "there is a NUL byte";
	else if (*line.at == '[')
		open_section(r, line);
	else
		take_pair(r, line, is_indented);
}

int ini_parse(const char *text, size_t len_bytes, struct ini **out, char why[INI_WHY_SIZE])
{
	struct reader r = {.f = x_calloc(1, sizeof(*r.f)),
			   .section = BUF_INIT(4096),
			   .parent = BUF_INIT(4096),
			   .key = BUF_INIT(16384)};
	const char *at = text, *end = text + len_bytes;

	while (at < end && !r.why) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;

		r.line_no++;
		take_line(&r, at, (size_t)(stop - at));
		if (buf_is_over(&r.section) || buf_is_over(&r.parent) || buf_is_over(&r.key))
			r.why = "a name is too long";
		at = newline ? newline + 1 : end;
	}
	buf_release(&r.section);
	buf_release(&r.parent);
	buf_release(&r.key);
	if (r.why) {
		(void)snprintf(why, INI_WHY_SIZE, "line %d: %s", r.line_no, r.why);
		ini_free(r.f);
		return -EINVAL;
	}
	*out = r.f;
	return 0;
}

int ini_load(const char *path, struct ini **out, char why[INI_WHY_SIZE])
{
	struct buf text = BUF_INIT(INI_MAX_BYTES);
	int rc = fs_read(path, &text);

	if (rc == 0)
		rc = ini_parse(buf_str(&text), text.len_bytes, out, why);
	else
		(void)snprintf(why, INI_WHY_SIZE, "%s", strerror(-rc));
	if (text.data)
		digest_wipe(text.data, text.cap_bytes);
	buf_release(&text);
	return rc;
}

void ini_free(struct ini *f)
{
	if (!f)
		return;
	strmap_release(&f->values, free_value);
	free(f);
}

const char *ini_get(const struct ini *f, const char *section, const char *key)
{
	char *full;
	const char *value;

	if (!f)
		return NULL;
	full = x_asprintf("%s\n%s", section, key);
	value = strmap_get(&f->values, full);
	free(full);
	return value;
}

bool ini_has_section(const struct ini *f, const char *section)
{
	return ini_get(f, section, "") != NULL;
}
