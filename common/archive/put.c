/* Writing: one transaction a revision. */
#include <errno.h>

#include "common/archive/own.h"
#include "common/base/unit.h"

static const char put_run[] =
	"INSERT OR IGNORE INTO runs (run, rev, function, purpose, confirms, change, change_kind,"
	" causes, test, compare, outcome, reason, verdict, verdict_reason, is_confirmed,"
	" old_version, new_version, old_code, new_code, finished_at, finished_ms, requests,"
	" cost_micro_usd, bookkeeping, event)"
	" VALUES (:run, :rev, :function, :purpose, :confirms, :change, :change_kind,"
	" :causes, :test, :compare, :outcome, :reason, :verdict, :verdict_reason, :is_confirmed,"
	" :old_version, :new_version, :old_code, :new_code, :finished_at, :finished_ms, :requests,"
	" :cost, :bookkeeping, :event)";

static const char put_metric[] =
	"INSERT OR IGNORE INTO metrics VALUES (:run, :rev, :name, :unit, :old, :new, :diff_kind,"
	" :diff, :low, :high, :diff_abs, :low_abs, :high_abs, :level, :n_old, :n_new,"
	" :environments_old, :environments_new, :basis, :is_gate, :verdict)";

static const char put_objective[] =
	"INSERT OR IGNORE INTO objectives VALUES (:run, :rev, :name, :metric, :op, :unit, :value,"
	" :limit, :is_met)";

struct put {
	struct archive *a;
	const char *run;
	int64_t rev;
	char *why;
};

/* Prepares, lets fill() bind, runs. Bound text must live until then. */
static int run_one(struct put *p, const char *sql,
		   void (*fill)(sqlite3_stmt *s, const struct put *p, const void *what),
		   const void *what)
{
	sqlite3_stmt *s = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(p->a->db, sql, -1, &s, NULL) != SQLITE_OK)
		return archive_trouble(p->a, "write to", p->why);
	bind_text(s, ":run", p->run);
	bind_int(s, ":rev", p->rev);
	fill(s, p, what);
	if (sqlite3_step(s) != SQLITE_DONE)
		rc = archive_trouble(p->a, "write to", p->why);
	sqlite3_finalize(s);
	return rc;
}

/* Members that have the column's name. */
static void bind_texts(sqlite3_stmt *s, const struct json *o, const char *const *names, size_t n)
{
	char name[40];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), ":%s", names[i]);
		bind_text(s, name, json_get_str(o, names[i]));
	}
}

static void bind_nums(sqlite3_stmt *s, const struct json *o, const char *const *names, size_t n)
{
	char name[40];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), ":%s", names[i]);
		bind_num(s, name, json_get(o, names[i]));
	}
}

static int64_t count_requests(const struct json *data)
{
	const struct json *requests = json_get(data, "requests");
	struct json *outcomes, *count;
	void *variant = NULL;
	const char *key;
	int64_t sum = 0;

	while (json_next(requests, &variant, &key, &outcomes)) {
		void *it = NULL;

		while (json_next(outcomes, &it, &key, &count))
			sum += json_int(count);
	}
	return sum;
}

/* The event with what is computed from it; the texts must outlive the statement. */
struct run_row {
	const char *function;
	const struct archive_event *ev;
	struct buf causes;
	char finished_at[WALL_RFC3339_SIZE];
	struct wall finished;
	int64_t cost_micro_usd;
};

static void run_row_init(struct run_row *row, const char *function, const struct archive_event *ev)
{
	const struct json *causes = json_at(ev->data, "change.causes");
	const char *at = json_get_str(ev->data, "finished_at");
	const char *cost = json_get_str(ev->data, "cost_usd");

	*row = (struct run_row){.function = function, .ev = ev, .causes = BUF_INIT(4096)};
	if (at == NULL || wall_parse_rfc3339(at, &row->finished) != 0)
		row->finished = ev->time;
	wall_format_rfc3339(row->finished, row->finished_at);
	if (cost == NULL || unit_parse_money(cost, &row->cost_micro_usd) != 0)
		row->cost_micro_usd = 0;
	for (size_t i = 0; i < json_len(causes); i++) {
		const char *cause = json_str(json_elem(causes, i));

		buf_addf(&row->causes, "%s%s", i == 0 ? "" : ",", cause == NULL ? "" : cause);
	}
}

static void bind_variants(sqlite3_stmt *s, const struct json *data)
{
	const struct json *old = json_named(json_get(data, "variants"), "old"),
			  *new = json_named(json_get(data, "variants"), "new");

	bind_text(s, ":old_version", json_get_str(old, "qualifier"));
	bind_text(s, ":new_version", json_get_str(new, "qualifier"));
	bind_text(s, ":old_code", json_get_str(old, "code_sha256"));
	bind_text(s, ":new_code", json_get_str(new, "code_sha256"));
}

static void fill_run(sqlite3_stmt *s, const struct put *p, const void *what)
{
	static const char *const same_name[] = {"test",	   "compare",	     "outcome",	   "reason",
						"verdict", "verdict_reason", "bookkeeping"};
	const struct run_row *row = what;
	const struct json *data = row->ev->data;

	(void)p;
	bind_text(s, ":function", row->function);
	bind_text(s, ":purpose", json_str(json_at(data, "run.purpose")));
	bind_text(s, ":confirms", json_str(json_at(data, "run.confirms")));
	bind_text(s, ":change", json_str(json_at(data, "run.change")));
	bind_text(s, ":change_kind", json_str(json_at(data, "change.kind")));
	bind_text(s, ":causes", buf_str(&row->causes));
	bind_texts(s, data, same_name, ARRAY_LEN(same_name));
	bind_int(s, ":is_confirmed", json_get_bool(data, "is_confirmed", false));
	bind_variants(s, data);
	bind_text(s, ":finished_at", row->finished_at);
	bind_int(s, ":finished_ms", wall_ms(row->finished));
	bind_int(s, ":requests", count_requests(data));
	bind_int(s, ":cost", row->cost_micro_usd);
	sqlite3_bind_text(s, sqlite3_bind_parameter_index(s, ":event"), row->ev->line,
			  (int)row->ev->line_bytes, SQLITE_STATIC);
}

static void fill_metric(sqlite3_stmt *s, const struct put *p, const void *what)
{
	static const char *const texts[] = {"name", "unit", "diff_kind", "basis", "verdict"};
	static const char *const nums[] = {"old",
					   "new",
					   "diff",
					   "low",
					   "high",
					   "diff_abs",
					   "low_abs",
					   "high_abs",
					   "level",
					   "n_old",
					   "n_new",
					   "environments_old",
					   "environments_new"};
	const struct json *m = what;

	(void)p;
	bind_texts(s, m, texts, ARRAY_LEN(texts));
	bind_nums(s, m, nums, ARRAY_LEN(nums));
	bind_int(s, ":is_gate", json_get_bool(m, "is_gate", false));
}

static void fill_objective(sqlite3_stmt *s, const struct put *p, const void *what)
{
	static const char *const texts[] = {"name", "metric", "op", "unit"};
	static const char *const nums[] = {"value", "limit"};
	const struct json *o = what;

	(void)p;
	bind_texts(s, o, texts, ARRAY_LEN(texts));
	bind_nums(s, o, nums, ARRAY_LEN(nums));
	if (json_is(json_get(o, "is_met"), JSON_T_BOOL))
		bind_int(s, ":is_met", json_get_bool(o, "is_met", false));
}

static int put_list(struct put *p, const struct json *list, const char *sql,
		    void (*fill)(sqlite3_stmt *s, const struct put *p, const void *what))
{
	int rc = 0;

	for (size_t i = 0; i < json_len(list) && rc == 0; i++) {
		if (json_get_str(json_elem(list, i), "name") != NULL)
			rc = run_one(p, sql, fill, json_elem(list, i));
	}
	return rc;
}

static int put_all(struct put *p, const struct run_row *row)
{
	int rc = run_one(p, put_run, fill_run, row);

	if (rc != 0 || sqlite3_changes(p->a->db) == 0)
		return rc;
	rc = put_list(p, json_get(row->ev->data, "metrics"), put_metric, fill_metric);
	if (rc == 0)
		rc = put_list(p, json_get(row->ev->data, "objectives"), put_objective,
			      fill_objective);
	return rc;
}

int archive_put(struct archive *a, const char *function, const struct archive_event *ev,
		char why[ARCHIVE_WHY_SIZE])
{
	struct put p = {.a = a,
			.run = json_str(json_at(ev->data, "run.id")),
			.rev = json_get_int(ev->data, "rev", 0),
			.why = why};
	struct run_row row;
	int rc;

	if (p.run == NULL || json_get_str(ev->data, "outcome") == NULL) {
		snprintf(why, ARCHIVE_WHY_SIZE, "run.finished without run.id or outcome");
		return -EINVAL;
	}
	if (archive_exec(a, "BEGIN IMMEDIATE") != SQLITE_OK)
		return archive_trouble(a, "lock", why);
	run_row_init(&row, function, ev);
	rc = put_all(&p, &row);
	if (rc == 0 && archive_exec(a, "COMMIT") != SQLITE_OK)
		rc = archive_trouble(a, "write to", why);
	if (rc != 0)
		archive_exec(a, "ROLLBACK");
	buf_release(&row.causes);
	return rc;
}

int archive_accept(struct archive *a, const struct archive_baseline *b, char why[ARCHIVE_WHY_SIZE])
{
	static const char sql[] = "INSERT OR REPLACE INTO baselines VALUES (:function, :ms, :at,"
				  " :run, :version, :code, :reason)";
	char at[WALL_RFC3339_SIZE];
	sqlite3_stmt *s = NULL;
	int rc = 0;

	wall_format_rfc3339(b->accepted_at, at);
	if (sqlite3_prepare_v2(a->db, sql, -1, &s, NULL) != SQLITE_OK)
		return archive_trouble(a, "write to", why);
	bind_text(s, ":function", b->function);
	bind_int(s, ":ms", wall_ms(b->accepted_at));
	bind_text(s, ":at", at);
	bind_text(s, ":run", b->run);
	bind_text(s, ":version", b->version);
	bind_text(s, ":code", b->code_sha256);
	bind_text(s, ":reason", b->reason);
	if (sqlite3_step(s) != SQLITE_DONE)
		rc = archive_trouble(a, "write to", why);
	sqlite3_finalize(s);
	return rc;
}
