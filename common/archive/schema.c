#include "common/archive/own.h"

/*
 * One entry a version, never edited once released: a file made by an older Plimsoll walks through
 * those it lacks. user_version counts them. docs/ARCHIVE.md describes the outcome.
 */
const char *const archive_migrations[] = {
	/* 1 */
	"CREATE TABLE runs ("
	" run TEXT NOT NULL, rev INTEGER NOT NULL, function TEXT NOT NULL,"
	" purpose TEXT, confirms TEXT, change TEXT, change_kind TEXT, causes TEXT,"
	" test TEXT, compare TEXT, outcome TEXT NOT NULL, reason TEXT,"
	" verdict TEXT, verdict_reason TEXT, is_confirmed INTEGER NOT NULL DEFAULT 0,"
	" old_version TEXT, new_version TEXT, old_code TEXT, new_code TEXT,"
	" finished_at TEXT NOT NULL, finished_ms INTEGER NOT NULL,"
	" requests INTEGER NOT NULL DEFAULT 0, cost_micro_usd INTEGER NOT NULL DEFAULT 0,"
	" bookkeeping TEXT, event TEXT NOT NULL,"
	" PRIMARY KEY (run, rev));"
	"CREATE INDEX runs_of_function ON runs (function, finished_ms DESC);"
	"CREATE TABLE metrics ("
	" run TEXT NOT NULL, rev INTEGER NOT NULL, name TEXT NOT NULL, unit TEXT,"
	" old REAL, new REAL, diff_kind TEXT, diff REAL, low REAL, high REAL,"
	" diff_abs REAL, low_abs REAL, high_abs REAL, level REAL, n_old INTEGER, n_new INTEGER,"
	" environments_old INTEGER, environments_new INTEGER, basis TEXT,"
	" is_gate INTEGER NOT NULL, verdict TEXT,"
	" PRIMARY KEY (run, rev, name),"
	" FOREIGN KEY (run, rev) REFERENCES runs (run, rev) ON DELETE CASCADE) WITHOUT ROWID;"
	"CREATE TABLE objectives ("
	" run TEXT NOT NULL, rev INTEGER NOT NULL, name TEXT NOT NULL, metric TEXT, op TEXT,"
	" unit TEXT, value REAL, bound REAL, is_met INTEGER,"
	" PRIMARY KEY (run, rev, name),"
	" FOREIGN KEY (run, rev) REFERENCES runs (run, rev) ON DELETE CASCADE) WITHOUT ROWID;"
	"CREATE TABLE baselines ("
	" function TEXT NOT NULL, accepted_ms INTEGER NOT NULL, accepted_at TEXT NOT NULL,"
	" run TEXT, version TEXT, code_sha256 TEXT, reason TEXT,"
	" PRIMARY KEY (function, accepted_ms)) WITHOUT ROWID;"
	/* A run is its last revision. */
	"CREATE VIEW last_revisions AS SELECT * FROM runs AS r"
	" WHERE rev = (SELECT max(rev) FROM runs AS o WHERE o.run = r.run);"
	"CREATE VIEW verdicts AS SELECT"
	" r.function, r.finished_at, r.verdict, r.verdict_reason, r.outcome, r.reason,"
	" r.old_version, r.new_version, m.diff AS p50_change, m.low AS p50_low,"
	" m.high AS p50_high, r.is_confirmed, r.test, r.compare, r.purpose, r.change_kind,"
	" r.causes, r.requests, r.cost_micro_usd / 1e6 AS cost_usd, r.run, r.rev"
	" FROM last_revisions AS r LEFT JOIN metrics AS m"
	" ON m.run = r.run AND m.rev = r.rev AND m.name = 'response_p50'"
	" ORDER BY r.finished_ms DESC, r.run;"
	"CREATE VIEW fleet AS SELECT * FROM ("
	" SELECT v.*, row_number() OVER (PARTITION BY function ORDER BY finished_at DESC, run) AS "
	"nth"
	" FROM verdicts AS v WHERE outcome <> 'skipped') WHERE nth = 1 ORDER BY function;",
};

const int archive_version = ARRAY_LEN(archive_migrations);
