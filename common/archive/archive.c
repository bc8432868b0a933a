#include "common/archive/archive.h"

#include <errno.h>

#include "common/archive/own.h"
#include "common/base/fsio.h"

/* "PLIM": the mark in the file's header that tells an archive from any other SQLite file. */
#define APPLICATION_ID 0x504c494d
#define WAL_PAUSE_MS 20

static int errno_of(int sqlite_code)
{
	static const struct {
		int code, err;
	} rows[] = {{SQLITE_BUSY, EBUSY},      {SQLITE_LOCKED, EBUSY},	{SQLITE_FULL, ENOSPC},
		    {SQLITE_CANTOPEN, ENOENT}, {SQLITE_NOTADB, EINVAL}, {SQLITE_CORRUPT, EINVAL},
		    {SQLITE_READONLY, EROFS},  {SQLITE_PERM, EACCES}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].code == (sqlite_code & 0xff))
			return -rows[i].err;
	}
	return -EIO;
}

int archive_trouble(struct archive *a, const char *tried, char why[ARCHIVE_WHY_SIZE])
{
	int rc = errno_of(sqlite3_errcode(a->db));
	const char *hint = rc == -EBUSY	   ? "; another program holds it, try again"
			   : rc == -ENOSPC ? "; make room and try again"
			   : rc == -EINVAL ? "; it is not an archive of Plimsoll"
					   : "";

	snprintf(why, ARCHIVE_WHY_SIZE, "cannot %s %s: %s%s", tried, a->path, sqlite3_errmsg(a->db),
		 hint);
	return rc;
}

int archive_exec(struct archive *a, const char *sql)
{
	return sqlite3_exec(a->db, sql, NULL, NULL, NULL);
}

void bind_text(sqlite3_stmt *s, const char *name, const char *text)
{
	int at = sqlite3_bind_parameter_index(s, name);

	BUG_ON(at == 0);
	if (text != NULL)
		sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

void bind_int(sqlite3_stmt *s, const char *name, int64_t v)
{
	int at = sqlite3_bind_parameter_index(s, name);

	BUG_ON(at == 0);
	sqlite3_bind_int64(s, at, v);
}

void bind_num(sqlite3_stmt *s, const char *name, const struct json *v)
{
	int at = sqlite3_bind_parameter_index(s, name);

	BUG_ON(at == 0);
	if (json_is_num(v))
		sqlite3_bind_double(s, at, json_real(v));
}

/* A pragma or query with one number. -1 when it fails; SQLite then holds the reason. */
static int64_t ask_number(struct archive *a, const char *sql)
{
	sqlite3_stmt *s = NULL;
	int64_t n = -1;

	if (sqlite3_prepare_v2(a->db, sql, -1, &s, NULL) == SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

/* Inside a write transaction, so that of two programs that open at once only one migrates. */
static int migrate_locked(struct archive *a, char why[ARCHIVE_WHY_SIZE])
{
	int64_t version = ask_number(a, "PRAGMA user_version");
	char sql[80];

	if (version < 0)
		return archive_trouble(a, "read", why);
	for (; version < archive_version; version++) {
		if (archive_exec(a, archive_migrations[version]) != SQLITE_OK)
			return archive_trouble(a, "migrate", why);
	}
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d; PRAGMA application_id = %d",
		 archive_version, APPLICATION_ID);
	return archive_exec(a, sql) == SQLITE_OK ? 0 : archive_trouble(a, "migrate", why);
}

int archive_migrate(struct archive *a, char why[ARCHIVE_WHY_SIZE])
{
	int rc;

	if (archive_exec(a, "BEGIN IMMEDIATE") != SQLITE_OK)
		return archive_trouble(a, "lock", why);
	rc = migrate_locked(a, why);
	if (rc == 0 && archive_exec(a, "COMMIT") != SQLITE_OK)
		rc = archive_trouble(a, "migrate", why);
	if (rc != 0)
		archive_exec(a, "ROLLBACK");
	return rc;
}

/* Ours, or empty: anything else is somebody's database and is left alone. */
static int check_marks(struct archive *a, int64_t *version, char why[ARCHIVE_WHY_SIZE])
{
	int64_t id = ask_number(a, "PRAGMA application_id");
	int64_t tables = ask_number(a, "SELECT count(*) FROM sqlite_master");

	*version = ask_number(a, "PRAGMA user_version");
	if (id < 0 || tables < 0 || *version < 0)
		return archive_trouble(a, "read", why);
	if (id != APPLICATION_ID && tables > 0) {
		snprintf(why, ARCHIVE_WHY_SIZE,
			 "%s is an SQLite file, but not an archive of Plimsoll; name another file",
			 a->path);
		return -EINVAL;
	}
	if (*version > archive_version) {
		snprintf(why, ARCHIVE_WHY_SIZE,
			 "%s was made by a newer Plimsoll (version %lld, this one knows %d); "
			 "use that one",
			 a->path, (long long)*version, archive_version);
		return -EPROTO;
	}
	return 0;
}

/* In one transaction: another program may be migrating the file this very moment. */
static int check_owner(struct archive *a, int64_t *version, char why[ARCHIVE_WHY_SIZE])
{
	int rc;

	if (archive_exec(a, "BEGIN") != SQLITE_OK)
		return archive_trouble(a, "read", why);
	rc = check_marks(a, version, why);
	archive_exec(a, "ROLLBACK");
	return rc;
}

/* SQLite does not wait by itself for the lock that the change to WAL takes. */
static int use_wal(struct archive *a, char why[ARCHIVE_WHY_SIZE])
{
	int rc = SQLITE_BUSY;

	for (int waited_ms = 0; rc == SQLITE_BUSY && waited_ms <= ARCHIVE_BUSY_MS;
	     waited_ms += WAL_PAUSE_MS) {
		if (waited_ms > 0)
			sqlite3_sleep(WAL_PAUSE_MS);
		rc = archive_exec(a, "PRAGMA journal_mode = WAL");
	}
	if (rc != SQLITE_OK ||
	    archive_exec(a, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON") != SQLITE_OK)
		return archive_trouble(a, "open", why);
	return 0;
}

static int prepare(struct archive *a, char why[ARCHIVE_WHY_SIZE])
{
	int64_t version = 0;
	int rc;

	sqlite3_busy_timeout(a->db, ARCHIVE_BUSY_MS);
	rc = check_owner(a, &version, why);
	/* A reader of a read-only file cannot change the journal and need not. */
	if (rc == 0 && !sqlite3_db_readonly(a->db, "main"))
		rc = use_wal(a, why);
	if (rc == 0 && version < archive_version)
		rc = archive_migrate(a, why);
	return rc;
}

static int make_folder(const char *path, char why[ARCHIVE_WHY_SIZE])
{
	const char *slash = strrchr(path, '/');
	char *folder;
	int rc;

	if (slash == NULL || slash == path)
		return 0;
	folder = x_strndup(path, (size_t)(slash - path));
	rc = fs_mkdirs(folder, 0755);
	if (rc != 0)
		snprintf(why, ARCHIVE_WHY_SIZE, "cannot make folder %s: %s", folder, strerror(-rc));
	free(folder);
	return rc;
}

int archive_open(const char *path, enum archive_mode mode, struct archive **out,
		 char why[ARCHIVE_WHY_SIZE])
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	struct archive *a = x_calloc(1, sizeof(*a));
	int rc = mode == ARCHIVE_WRITE ? make_folder(path, why) : 0;

	a->path = x_strdup(path);
	if (rc != 0)
		goto out;
	if (mode == ARCHIVE_WRITE)
		flags |= SQLITE_OPEN_CREATE;
	if (sqlite3_open_v2(path, &a->db, flags, NULL) != SQLITE_OK)
		rc = archive_trouble(a, "open", why);
	else
		rc = prepare(a, why);
out:
	if (rc == 0)
		*out = a;
	else
		archive_close(a);
	return rc;
}

void archive_close(struct archive *a)
{
	if (a == NULL)
		return;
	sqlite3_close(a->db);
	free(a->path);
	free(a);
}
