/* The archive: every revision kept once, the last one told, other people's files left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "common/archive/archive.h"
#include "tests/unit/example.h"

struct place {
	char folder[64], path[128];
	struct archive *a;
	char why[ARCHIVE_WHY_SIZE];
};

static int set_up(void **state)
{
	struct place *p = x_calloc(1, sizeof(*p));

	snprintf(p->folder, sizeof(p->folder), "/tmp/plimsoll-archive-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof(p->path), "%s/deep/er/archive.sqlite", p->folder);
	if (archive_open(p->path, ARCHIVE_WRITE, &p->a, p->why) != 0)
		fail_msg("%s", p->why);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	static const char *const names[] = {"deep/er/archive.sqlite",
					    "deep/er/archive.sqlite-wal",
					    "deep/er/archive.sqlite-shm",
					    "deep/er/other",
					    "deep/er",
					    "deep",
					    ""};
	char path[160];

	archive_close(p->a);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", p->folder, names[i]);
		remove(path);
	}
	free(p);
	return 0;
}

/* The example's run under another id, revision, time and verdict. */
static void put(struct place *p, const char *function, const char *run, int rev,
		const char *finished_at, const char *outcome, const char *verdict)
{
	struct json *body = example("run.finished");
	struct json *data = json_get(body, "data");
	struct buf line = BUF_INIT(1 << 20);

	json_put_str(json_get(data, "run"), "id", run);
	json_put_int(data, "rev", rev);
	json_put_str(data, "finished_at", finished_at);
	json_put_str(data, "outcome", outcome);
	json_put_str(data, "verdict", verdict);
	json_write(body, &line);
	struct archive_event ev = {
		.data = data, .line = buf_str(&line), .line_bytes = line.len_bytes};
	if (archive_put(p->a, function, &ev, p->why) != 0)
		fail_msg("%s", p->why);
	buf_release(&line);
	json_free(body);
}

static void add_row(const struct archive_run *run, void *ctx)
{
	struct buf *text = ctx;

	buf_addf(text, "%s %s.%d %s; ", run->function, run->run, (int)run->rev, run->verdict);
}

static void expect_runs(struct place *p, const struct archive_query *q, const char *want)
{
	struct buf text = BUF_INIT(4096);

	if (archive_runs(p->a, q, add_row, &text, p->why) != 0)
		fail_msg("%s", p->why);
	assert_string_equal(buf_str(&text), want);
	buf_release(&text);
}

static void fill(struct place *p)
{
	put(p, "prod/hello", "raa", 0, "2026-11-22T15:00:00.000Z", "valid", "better");
	put(p, "prod/other", "rba", 0, "2026-11-22T15:00:30.000Z", "valid", "no-difference");
	put(p, "prod/hello", "rab", 0, "2026-11-22T15:01:00.000Z", "valid", "cannot-tell");
	/* The cloud's figures come later: the same run again, and a repeat of the first word. */
	put(p, "prod/hello", "rab", 1, "2026-11-22T15:01:00.000Z", "valid", "worse");
	put(p, "prod/hello", "rab", 0, "2026-11-22T15:01:00.000Z", "valid", "better");
	put(p, "prod/hello", "rac", 0, "2026-11-22T15:02:00.000Z", "skipped", "not-compared");
}

static void test_queries(void **state)
{
	static const struct {
		struct archive_query q;
		const char *want;
	} cases[] = {
		{{0},
		 "prod/hello rac.0 not-compared; prod/hello rab.1 worse; "
		 "prod/other rba.0 no-difference; prod/hello raa.0 better; "},
		{{.function = "prod/hello"},
		 "prod/hello rac.0 not-compared; prod/hello rab.1 worse; prod/hello raa.0 "
		 "better; "},
		{{.function = "prod/hello", .is_tested_only = true, .limit = 1},
		 "prod/hello rab.1 worse; "},
		{{.is_last_only = true, .is_tested_only = true},
		 "prod/hello rab.1 worse; prod/other rba.0 no-difference; "},
		{{.run_prefix = "ra", .limit = 2},
		 "prod/hello rac.0 not-compared; prod/hello rab.1 worse; "},
		{{.run_prefix = "r%"}, ""},
		{{.function = "prod/none"}, ""},
	};
	struct place *p = *state;

	fill(p);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect_runs(p, &cases[i].q, cases[i].want);
}

static void check_row(const struct archive_run *run, void *ctx)
{
	(void)ctx;
	assert_string_equal(run->old_version, "1");
	assert_string_equal(run->new_version, "2");
	assert_string_equal(run->new_code, "Pt1cAAAA");
	assert_string_equal(run->change_kind, "code");
	assert_string_equal(run->finished_at, "2026-11-22T15:00:00.000Z");
	assert_int_equal(run->finished_ms, INT64_C(1795359600000));
	assert_int_equal(run->requests, 304);
	assert_int_equal(run->cost_micro_usd, 180);
	assert_false(run->is_confirmed);
}

static void test_columns(void **state)
{
	struct place *p = *state;

	put(p, "prod/hello", "raa", 0, "2026-11-22T15:00:00.000Z", "valid", "better");
	assert_int_equal(archive_runs(p->a, &(struct archive_query){0}, check_row, NULL, p->why),
			 0);
}

static void test_one_run(void **state)
{
	struct place *p = *state;
	struct json *event = NULL;

	fill(p);
	assert_int_equal(archive_run(p->a, "rab", &event, p->why), 0);
	assert_string_equal(json_str(json_at(event, "data.verdict")), "worse");
	assert_string_equal(json_str(json_at(event, "data.metrics.0.name")), "response_p50");
	json_free(event);
	assert_int_equal(archive_run(p->a, "ra", &event, p->why), -ENOTUNIQ);
	assert_int_equal(archive_run(p->a, "rz", &event, p->why), -ENOENT);
}

static void check_baseline(const struct archive_baseline *b, void *ctx)
{
	(void)ctx;
	assert_string_equal(b->run, "rab");
	assert_string_equal(b->reason, "meant");
	assert_int_equal(wall_s(b->accepted_at), 2000);
}

static void test_baselines(void **state)
{
	struct place *p = *state;
	struct archive_baseline b = {.function = "prod/hello", .run = "rab", .reason = "meant"};

	assert_int_equal(archive_accepted(p->a, "prod/hello", check_baseline, NULL, p->why),
			 -ENOENT);
	b.accepted_at = wall_from_s(2000);
	assert_int_equal(archive_accept(p->a, &b, p->why), 0);
	b.accepted_at = wall_from_s(1000);
	b.reason = "older";
	assert_int_equal(archive_accept(p->a, &b, p->why), 0);
	assert_int_equal(archive_accepted(p->a, "prod/hello", check_baseline, NULL, p->why), 0);
}

static void test_bad_event(void **state)
{
	struct place *p = *state;
	struct json *data = json_obj();
	struct archive_event ev = {.data = data, .line = "{}", .line_bytes = 2};

	assert_int_equal(archive_put(p->a, "prod/hello", &ev, p->why), -EINVAL);
	expect_runs(p, &(struct archive_query){0}, "");
	json_free(data);
}

static void test_open_again(void **state)
{
	struct place *p = *state;
	struct archive *reader;

	fill(p);
	/* A reader beside the writer. */
	assert_int_equal(archive_open(p->path, ARCHIVE_READ, &reader, p->why), 0);
	archive_close(p->a);
	p->a = reader;
	expect_runs(p, &(struct archive_query){.limit = 1}, "prod/hello rac.0 not-compared; ");
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(close(fd), 0);
}

static void test_not_ours(void **state)
{
	struct place *p = *state;
	struct archive *a;
	char path[160];

	snprintf(path, sizeof(path), "%s/deep/er/other", p->folder);
	assert_int_equal(archive_open(path, ARCHIVE_READ, &a, p->why), -ENOENT);
	write_file(path, "this is a letter to my aunt, and no data base at all\n");
	assert_int_equal(archive_open(path, ARCHIVE_WRITE, &a, p->why), -EINVAL);
	assert_non_null(strstr(p->why, "not an archive"));
	assert_int_equal(archive_open("/proc/nothing/archive", ARCHIVE_WRITE, &a, p->why), -ENOENT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_queries, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_columns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_run, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_baselines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_event, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_open_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_ours, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
