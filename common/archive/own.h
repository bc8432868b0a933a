/*
 * own.h - what the units of common/archive share (private).
 *
 * A statement that fails leaves its reason in the archive; archive_trouble() turns it into a
 * sentence and an errno.
 */
#ifndef PLIMSOLL_ARCHIVE_OWN_H
#define PLIMSOLL_ARCHIVE_OWN_H

#include <sqlite3.h>

#include "common/archive/archive.h"

struct archive {
	sqlite3 *db;
	char *path;
};

/* SQL that takes a file from version i to i + 1; archive_version is how many there are. */
extern const char *const archive_migrations[];
extern const int archive_version;

/* Fills why from SQLite's last message: "cannot <tried> <path>: …". A negative errno. */
int archive_trouble(struct archive *a, const char *tried, char why[ARCHIVE_WHY_SIZE]);
/* SQL without results. SQLITE_OK or SQLite's code. */
int archive_exec(struct archive *a, const char *sql);
MUST_CHECK int archive_migrate(struct archive *a, char why[ARCHIVE_WHY_SIZE]);

/* Binding by name, so that a statement and its values read side by side. NULL text is NULL. */
void bind_text(sqlite3_stmt *s, const char *name, const char *text);
void bind_int(sqlite3_stmt *s, const char *name, int64_t v);
/* Binds a number, or NULL when v is not one. */
void bind_num(sqlite3_stmt *s, const char *name, const struct json *v);

#endif
