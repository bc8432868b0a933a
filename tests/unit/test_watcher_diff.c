#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "cmd/watcher/copies.h"
#include "cmd/watcher/diff.h"
#include "cmd/watcher/versions.h"

static char *text(const char *s)
{
	return s ? x_strdup(s) : NULL;
}

/* A function as a list tells it; every case edits its own copy. */
static struct lambda_function base(void)
{
	struct lambda_function f = {
		.name = text("hello"),
		.version = text("$LATEST"),
		.code_sha256 = text("AAAA="),
		.revision_id = text("r1"),
		.last_modified = text("2026-11-22T10:00:00.000+0000"),
		.runtime = text("python3.11"),
		.handler = text("h.handler"),
		.arch = text("x86_64"),
		.package_type = text("Zip"),
		.snapstart_apply_on = text("None"),
		.memory_bytes = 128 << 20,
		.timeout_ms = 3000,
	};

	snprintf(f.environment_sha256, sizeof(f.environment_sha256), "e1");
	snprintf(f.edits_sha256, sizeof(f.edits_sha256), "d1");
	return f;
}

static void set(char **at, const char *s)
{
	free(*at);
	*at = text(s);
}

/* edits, one letter each; the revision and the date move with every one but 'l' */
static void edit(struct lambda_function *f, char what)
{
	switch (what) {
	case 'c':
		set(&f->code_sha256, "BBBB=");
		break;
	case 'h':
		set(&f->handler, "h.other");
		break;
	case 'r':
		set(&f->runtime, "python3.12");
		break;
	case 'm':
		f->memory_bytes = 256 << 20;
		break;
	case 't':
		f->timeout_ms = 5000;
		break;
	case 'e':
		snprintf(f->environment_sha256, sizeof(f->environment_sha256), "e2");
		break;
	case 'y':
		snprintf(f->layers_sha256, sizeof(f->layers_sha256), "l1");
		break;
	case 'a':
		set(&f->arch, "arm64");
		break;
	case 's':
		set(&f->snapstart_apply_on, "PublishedVersions");
		break;
	case 'd':
		snprintf(f->edits_sha256, sizeof(f->edits_sha256), "d2");
		break;
	case 'R': /* revision alone: a permission, a tag */
		set(&f->revision_id, "r2");
		return;
	default:
		break;
	}
	set(&f->revision_id, "r2");
	set(&f->last_modified, "2026-11-22T11:00:00.000+0000");
}

#define C(name) DIFF_BIT(CAUSE_##name)

static const struct {
	const char *name, *edits;
	bool is_touched;
	uint32_t causes;
	bool is_again;
	const char *kind; /* of the causes, or of the deployment; NULL = nothing to tell */
} cases[] = {
	{"nothing", "", false, 0, false, NULL},
	{"code", "c", true, C(CODE), true, "code"},
	{"handler", "h", true, C(CODE), true, "code"},
	{"runtime", "r", true, C(RUNTIME), true, "config"},
	{"memory", "m", true, C(MEMORY), true, "config"},
	{"timeout", "t", true, C(TIMEOUT), true, "config"},
	{"environment", "e", true, C(ENVIRONMENT), true, "config"},
	{"layers", "y", true, C(LAYERS), true, "config"},
	{"architecture", "a", true, C(ARCHITECTURE), true, "config"},
	{"snapstart", "s", true, C(SNAPSTART), true, "config"},
	{"one deploy of several", "cmte", true, C(CODE) | C(MEMORY) | C(TIMEOUT) | C(ENVIRONMENT),
	 true, "code"},
	{"memory and layers", "my", true, C(MEMORY) | C(LAYERS), true, "config"},
	{"description", "d", true, 0, false, NULL},
	{"code and description", "cd", true, C(CODE), false, "code"},
	{"a tag", "R", true, 0, false, NULL},
	{"the same bytes again", "x", true, 0, true, "code"},
};

static void test_what_changed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct lambda_function f = base();
		struct known k = {0};
		uint32_t causes;
		bool is_again;

		known_learn(&k, &f);
		for (const char *e = cases[i].edits; *e; e++)
			edit(&f, *e);
		causes = diff_causes(&k, &f);
		is_again = diff_is_deployed_again(&k, &f);
		if (diff_is_touched(&k, &f) != cases[i].is_touched || causes != cases[i].causes ||
		    is_again != cases[i].is_again)
			fail_msg("%s: causes %x, again %d", cases[i].name, causes, is_again);
		if (!causes && is_again)
			causes = C(CODE);
		if ((causes != 0) != (cases[i].kind != NULL))
			fail_msg("%s: told or not", cases[i].name);
		if (causes)
			assert_string_equal(diff_kind(causes), cases[i].kind);
		known_release(&k);
		lambda_function_release(&f);
	}
}

static void test_kinds(void **state)
{
	(void)state;
	assert_string_equal(diff_kind(C(ADDED) | C(CODE)), "added");
	assert_string_equal(diff_kind(C(ALIAS) | C(CODE) | C(MEMORY)), "alias");
}

/* Deleted and made again between two lists, or missed by one list. */
static void test_back_again(void **state)
{
	struct lambda_function f = base();
	struct known k = {0};

	(void)state;
	known_learn(&k, &f);
	k.was_missing = true;
	assert_false(diff_is_deployed_again(&k, &f));
	edit(&f, 'd');
	assert_true(diff_is_deployed_again(&k, &f));
	known_learn(&k, &f);
	assert_false(k.was_missing);
	known_release(&k);
	lambda_function_release(&f);
}

/* A service without revisions (the date never moves either): the code still tells. */
static void test_without_revisions(void **state)
{
	struct lambda_function f = base();
	struct known k = {0};

	(void)state;
	set(&f.revision_id, NULL);
	set(&f.last_modified, NULL);
	known_learn(&k, &f);
	assert_false(diff_is_touched(&k, &f));
	set(&f.code_sha256, "CCCC=");
	assert_true(diff_is_touched(&k, &f));
	assert_int_equal(diff_causes(&k, &f), C(CODE));
	assert_string_equal(known_revision_of(&f), "CCCC=");
	known_release(&k);
	lambda_function_release(&f);
}

static void test_owed_survives_the_state(void **state)
{
	struct lambda_function f = base();
	struct known k = {0}, back = {0};
	struct json *doc;

	(void)state;
	known_learn(&k, &f);
	k.owed = OWED_FIRST_SEEN;
	k.alias_version = text("3");
	k.missing_since_ms = 77;
	doc = known_to_json(&k);
	known_from_json(&back, doc);
	assert_int_equal(back.owed, OWED_FIRST_SEEN);
	assert_string_equal(back.alias_version, "3");
	assert_null(back.alias_revision);
	assert_true(back.missing_since_ms == 77);
	assert_true(diff_is_touched(&back, &f)); /* since something is owed */
	back.owed = OWED_NOTHING;
	assert_false(diff_is_touched(&back, &f));
	assert_int_equal(diff_causes(&back, &f), 0);
	json_free(doc);
	known_from_json(&back, NULL);
	assert_null(back.revision);
	known_release(&k);
	known_release(&back);
	lambda_function_release(&f);
}

static void test_quiet(void **state)
{
	static const struct {
		int64_t modified_s, now_s, quiet_ms, want_ms;
	} rows[] = {
		{100, 100, 10000, 10000}, {100, 104, 10000, 6000}, {100, 110, 10000, 0},
		{100, 500, 10000, 0},	  {100, 90, 10000, 10000}, /* its clock is ahead */
		{100, 100, 0, 0},	  {0, 100, 10000, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(diff_quiet_left_ms(wall_from_s(rows[i].modified_s),
					       wall_from_s(rows[i].now_s),
					       rows[i].quiet_ms) == rows[i].want_ms);
}

static void test_gone(void **state)
{
	struct known k = {0};

	(void)state;
	assert_int_equal(diff_gone(&k, wall_from_s(100), 60000), DIFF_GONE_REMEMBER);
	k.missing_since_ms = 100000;
	assert_int_equal(diff_gone(&k, wall_from_s(159), 60000), DIFF_GONE_WAIT);
	assert_int_equal(diff_gone(&k, wall_from_s(160), 60000), DIFF_GONE_CONFIRM);
}

static void test_config_hash(void **state)
{
	static const char edits[] = "hrmteyas";
	struct lambda_function f = base();
	char before[65], after[65];

	(void)state;
	known_config_sha256(&f, before);
	edit(&f, 'c');
	edit(&f, 'd');
	known_config_sha256(&f, after);
	assert_string_equal(before, after);
	for (const char *e = edits; *e; e++) {
		edit(&f, *e);
		known_config_sha256(&f, after);
		assert_string_not_equal(before, after);
		memcpy(before, after, sizeof(before));
	}
	lambda_function_release(&f);
}

/* versions */

static struct lambda_list list_of(const char *const *numbers, size_t count)
{
	struct lambda_list l = {.items = x_calloc(count, sizeof(*l.items)), .count = count};

	for (size_t i = 0; i < count; i++) {
		l.items[i] = base();
		set(&l.items[i].version, numbers[i]);
		set(&l.items[i].code_sha256, numbers[i]);
	}
	return l;
}

static void test_candidates(void **state)
{
	static const char *const numbers[] = {"$LATEST", "1", "2",  "9",  "10", "11", "3",
					      "4",	 "5", "12", "13", "14", "15"};
	struct lambda_list l = list_of(numbers, ARRAY_LEN(numbers));
	struct lambda_function f = base();
	struct json *c;

	(void)state;
	versions_sort(&l);
	assert_int_equal(l.count, ARRAY_LEN(numbers) - 1);
	c = versions_candidates(&l, NULL);
	assert_int_equal(json_len(c), CANDIDATES_MAX);
	assert_string_equal(json_get_str(json_elem(c, 0), "qualifier"), "15");
	assert_string_equal(json_get_str(json_elem(c, 9), "qualifier"), "3");
	assert_null(versions_equal_to(&l, &f));
	set(&f.code_sha256, "9");
	assert_string_equal(versions_equal_to(&l, &f)->version, "9");
	f.memory_bytes = 1;
	assert_null(versions_equal_to(&l, &f));
	json_free(c);
	lambda_function_release(&f);
	lambda_list_release(&l);
}

static void test_retire(void **state)
{
	static const struct {
		const char *ours;
		uint32_t keep;
		const char *held, *want;
	} rows[] = {
		{"[]", 5, NULL, "[]"},
		{"[\"9\",\"8\",\"7\"]", 5, NULL, "[]"},
		{"[\"9\",\"8\",\"7\",\"5\"]", 2, NULL, "[\"7\",\"5\"]"},
		{"[\"9\",\"8\",\"7\",\"5\"]", 1, NULL, "[\"7\",\"5\"]"}, /* the baseline stays */
		{"[\"9\",\"8\",\"7\",\"5\"]", 2, "7", "[\"5\"]"},
		{"[\"9\",\"8\",7]", 2, NULL, "[]"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(1000);
		struct json *ours, *old;

		assert_int_equal(json_parse(rows[i].ours, strlen(rows[i].ours), 1000, &ours, NULL),
				 0);
		old = versions_to_retire(ours, rows[i].keep, rows[i].held);
		json_write(old, &out);
		assert_string_equal(buf_str(&out), rows[i].want);
		buf_release(&out);
		json_free(old);
		json_free(ours);
	}
}

#define READY "Successful"
#define BUSY "InProgress"

static void test_steps_of_a_copy(void **state)
{
	static const struct {
		const char *edit, *description, *code, *status;
		enum copy_step want;
	} rows[] = {
		{NULL, "mine", "c", READY, COPY_NONE},
		{"{}", "mine", "c", READY, COPY_EDIT},
		{"{}", "mine", "c", BUSY, COPY_WAIT},
		{"{}", "ours", "c", BUSY, COPY_WAIT},
		{"{}", "ours", "c", READY, COPY_PUBLISH},
		{"{}", "ours", "other", READY, COPY_GIVE_UP},
		{"{}", "another's", "c", READY, COPY_DONE},
		{"{\"is_over\": true}", "ours", "c", READY, COPY_RESTORE},
		{"{\"is_over\": true}", "ours", "other", READY, COPY_RESTORE},
		{"{\"is_over\": true}", "ours", "c", BUSY, COPY_WAIT},
		{"{\"is_over\": true}", "mine", "c", BUSY, COPY_WAIT},
		{"{\"is_over\": true}", "mine", "c", READY, COPY_DONE},
		{"{\"is_over\": true}", "another's", "c", READY, COPY_DONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lambda_function now = {.description = (char *)(uintptr_t)rows[i].description,
					      .code_sha256 = (char *)(uintptr_t)rows[i].code,
					      .last_update_status =
						      (char *)(uintptr_t)rows[i].status};
		struct json *edit = NULL;

		if (rows[i].edit) {
			assert_int_equal(
				json_parse(rows[i].edit, strlen(rows[i].edit), 1000, &edit, NULL),
				0);
			json_put_str(edit, "was", "mine");
			json_put_str(edit, "is", "ours");
			json_put_str(edit, "code_sha256", "c");
		}
		assert_int_equal(copies_next(edit, &now), rows[i].want);
		json_free(edit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_changed),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_back_again),
		cmocka_unit_test(test_without_revisions),
		cmocka_unit_test(test_owed_survives_the_state),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_config_hash),
		cmocka_unit_test(test_candidates),
		cmocka_unit_test(test_retire),
		cmocka_unit_test(test_steps_of_a_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
