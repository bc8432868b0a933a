/* Reading: for the front door and for people's own programs. */
#include <errno.h>

#include "common/archive/own.h"

/* An index into this list is a column number below: keep them side by side. */
#define COLUMNS                                                                                    \
	"run, function, finished_at, verdict, verdict_reason, outcome, reason, test, compare,"     \
	" purpose, old_version, new_version, new_code, change_kind, event,"                        \
	" rev, finished_ms, requests, cost_micro_usd, is_confirmed"

static const char *text_of(sqlite3_stmt *s, int column)
{
	const unsigned char *text = sqlite3_column_text(s, column);

	return text == NULL ? "" : (const char *)text;
}

static void read_row(sqlite3_stmt *s, struct archive_run *out)
{
	const char **texts[] = {&out->run,	&out->function,	      &out->finished_at,
				&out->verdict,	&out->verdict_reason, &out->outcome,
				&out->reason,	&out->test,	      &out->compare,
				&out->purpose,	&out->old_version,    &out->new_version,
				&out->new_code, &out->change_kind,    &out->event};
	int64_t *numbers[] = {&out->rev, &out->finished_ms, &out->requests, &out->cost_micro_usd};
	int column = 0;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = text_of(s, column++);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		*numbers[i] = sqlite3_column_int64(s, column++);
	out->is_confirmed = sqlite3_column_int(s, column) != 0;
}

static void build_sql(const struct archive_query *q, struct buf *sql)
{
	buf_adds(sql, "SELECT " COLUMNS " FROM (SELECT *");
	if (q->is_last_only)
		buf_adds(sql, ", row_number() OVER (PARTITION BY function"
			      " ORDER BY finished_ms DESC, run) AS nth");
	buf_adds(sql, " FROM last_revisions WHERE 1");
	if (q->function != NULL)
		buf_adds(sql, " AND function = :function");
	if (q->run_prefix != NULL)
		buf_adds(sql, " AND substr(run, 1, length(:prefix)) = :prefix");
	if (q->is_tested_only)
		buf_adds(sql, " AND outcome <> 'skipped'");
	buf_adds(sql, ")");
	if (q->is_last_only)
		buf_adds(sql, " WHERE nth = 1");
	buf_adds(sql, " ORDER BY finished_ms DESC, run");
	if (q->limit > 0)
		buf_adds(sql, " LIMIT :limit");
}

int archive_runs(struct archive *a, const struct archive_query *q, archive_see see, void *ctx,
		 char why[ARCHIVE_WHY_SIZE])
{
	struct buf sql = BUF_INIT(4096);
	struct archive_run row;
	sqlite3_stmt *s = NULL;
	int rc = 0, step = SQLITE_DONE;

	build_sql(q, &sql);
	if (sqlite3_prepare_v2(a->db, buf_str(&sql), -1, &s, NULL) != SQLITE_OK) {
		rc = archive_trouble(a, "read", why);
		goto out;
	}
	if (q->function != NULL)
		bind_text(s, ":function", q->function);
	if (q->run_prefix != NULL)
		bind_text(s, ":prefix", q->run_prefix);
	if (q->limit > 0)
		bind_int(s, ":limit", (int64_t)q->limit);
	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		read_row(s, &row);
		see(&row, ctx);
	}
	if (step != SQLITE_DONE)
		rc = archive_trouble(a, "read", why);
out:
	sqlite3_finalize(s);
	buf_release(&sql);
	return rc;
}

struct found {
	size_t count;
	char *event;
};

static void keep_first(const struct archive_run *run, void *ctx)
{
	struct found *f = ctx;

	if (f->count++ == 0)
		f->event = x_strdup(run->event);
}

int archive_run(struct archive *a, const char *prefix, struct json **event,
		char why[ARCHIVE_WHY_SIZE])
{
	struct archive_query q = {.run_prefix = prefix, .limit = 2};
	struct found f = {0};
	char bad[JSON_WHY_SIZE];
	int rc = archive_runs(a, &q, keep_first, &f, why);

	if (rc == 0 && f.count == 0) {
		snprintf(why, ARCHIVE_WHY_SIZE, "%s has no run %s", a->path, prefix);
		rc = -ENOENT;
	} else if (rc == 0 && f.count > 1) {
		snprintf(why, ARCHIVE_WHY_SIZE, "several runs start with %s; give more of the id",
			 prefix);
		rc = -ENOTUNIQ;
	} else if (rc == 0) {
		rc = json_parse(f.event, strlen(f.event), 1u << 20, event, bad);
		if (rc != 0)
			snprintf(why, ARCHIVE_WHY_SIZE, "%s: run %s: %s", a->path, prefix, bad);
	}
	free(f.event);
	return rc;
}

int archive_accepted(struct archive *a, const char *function,
		     void (*see)(const struct archive_baseline *b, void *ctx), void *ctx,
		     char why[ARCHIVE_WHY_SIZE])
{
	static const char sql[] = "SELECT function, run, version, code_sha256, reason, accepted_ms"
				  " FROM baselines WHERE function = :function"
				  " ORDER BY accepted_ms DESC LIMIT 1";
	sqlite3_stmt *s = NULL;
	int rc = 0, step;

	if (sqlite3_prepare_v2(a->db, sql, -1, &s, NULL) != SQLITE_OK)
		return archive_trouble(a, "read", why);
	bind_text(s, ":function", function);
	step = sqlite3_step(s);
	if (step == SQLITE_ROW) {
		struct archive_baseline b = {.function = text_of(s, 0),
					     .run = text_of(s, 1),
					     .version = text_of(s, 2),
					     .code_sha256 = text_of(s, 3),
					     .reason = text_of(s, 4)};

		b.accepted_at.ns = sqlite3_column_int64(s, 5) * NS_PER_MS;
		see(&b, ctx);
	} else if (step == SQLITE_DONE) {
		snprintf(why, ARCHIVE_WHY_SIZE, "no baseline of %s was accepted", function);
		rc = -ENOENT;
	} else {
		rc = archive_trouble(a, "read", why);
	}
	sqlite3_finalize(s);
	return rc;
}
