#include "common/bus/allow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fsio.h"

#define Z85                                                                                        \
	"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"                           \
	".-:+=^!/*?&<>()[]{}@%$#"
#define NAME_CHARACTERS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-"

bool bus_name_is_fine(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < BUS_NAME_SIZE && strspn(name, NAME_CHARACTERS) == len;
}

bool bus_key_is_fine(const char *key)
{
	return strlen(key) == BUS_KEY_SIZE - 1 && strspn(key, Z85) == BUS_KEY_SIZE - 1;
}

void bus_list_release(struct bus_list *l)
{
	strmap_release(&l->keys, NULL);
	strmap_release(&l->names, free);
}

/* What is wrong with this entry, or NULL. */
static const char *wrong_with(const struct bus_list *l, const char *name, const char *key)
{
	if (!key || !bus_key_is_fine(key))
		return "expected NAME and a public key of 40 characters (Z85)";
	if (!bus_name_is_fine(name))
		return "a name is 1 to 64 of A-Z a-z 0-9 . _ -";
	if (strmap_get(&l->names, name))
		return "this name stands twice";
	if (strmap_get(&l->keys, key))
		return "this key stands twice";
	return l->names.count < BUS_LIST_MAX ? NULL : "more than 4096 names";
}

/* A line without its newline; changed. A key may hold a '#', so a comment is a line of its own. */
static const char *take_line(struct bus_list *l, char *line)
{
	char *save = NULL, *name = strtok_r(line, " \t\r", &save), *key;
	const char *wrong;

	if (!name || name[0] == '#')
		return NULL;
	key = strtok_r(NULL, " \t\r", &save);
	wrong = strtok_r(NULL, " \t\r", &save) ? "more than a name and a key"
					       : wrong_with(l, name, key);
	if (wrong)
		return wrong;
	strmap_put(&l->names, name, x_strdup(key));
	strmap_put(&l->keys, key, l->names.items[l->names.count - 1].key);
	return NULL;
}

int bus_list_parse(char *text, const char *path, struct bus_list *out, char why[200])
{
	const char *wrong = NULL;
	char *next;

	for (size_t number = 1; text && !wrong; text = next, number++) {
		next = strchr(text, '\n');
		if (next)
			*next++ = '\0';
		wrong = take_line(out, text);
		if (wrong)
			snprintf(why, 200, "%.100s:%zu: %s", path, number, wrong);
	}
	if (wrong)
		bus_list_release(out);
	return wrong ? -EINVAL : 0;
}

int bus_list_read(const char *path, struct bus_list *out, char why[200])
{
	struct buf text = BUF_INIT(BUS_LIST_MAX_BYTES);
	int rc = fs_read(path, &text);

	if (rc)
		snprintf(why, 200, "cannot read %.100s: %s", path, strerror(-rc));
	else if (strlen(buf_str(&text)) != text.len_bytes) {
		snprintf(why, 200, "%.100s: is no text (it holds a NUL)", path);
		rc = -EINVAL;
	} else if (text.len_bytes)
		rc = bus_list_parse(text.data, path, out, why);
	buf_release(&text);
	return rc;
}
