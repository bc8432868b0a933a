/* State in files: read back, delete, list, damage, two processes at one counter. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "common/base/fsio.h"
#include "common/base/proc.h"
#include "common/state/state.h"

static char *folder;

static int make_folder(void **unused)
{
	char name[] = "/tmp/plimsoll-state-XXXXXX";

	(void)unused;
	folder = x_strdup(mkdtemp(name));
	return 0;
}

static int remove_folder(void **unused)
{
	const char *argv[] = {"rm", "-rf", folder, NULL};
	struct proc_spec spec = {.argv = argv};
	struct buf out = BUF_INIT(1000);

	(void)unused;
	assert_int_equal(proc_run(&spec, NULL, 5000, &out, NULL), 0);
	buf_release(&out);
	free(folder);
	return 0;
}

static int64_t number_at(struct state *s, const char *key)
{
	struct json *v = state_get(s, key);
	int64_t n = v ? json_get_int(v, "n", -2) : -1;

	json_free(v);
	return n;
}

static void put_number(struct state *s, const char *key, int64_t n)
{
	struct json *o = json_obj();

	json_put_int(o, "n", n);
	state_put(s, key, o);
}

static void reads_back_after_commit(void **unused)
{
	static const char *const dirs[] = {"files", NULL};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		char *dir = dirs[i] ? x_asprintf("%s/%s", folder, dirs[i]) : NULL;
		struct state *s;

		assert_int_equal(state_open(dir, &s), 0);
		assert_int_equal(number_at(s, "functions/prod/hello"), -1);
		put_number(s, "functions/prod/hello", 1);
		assert_int_equal(number_at(s, "functions/prod/hello"), 1);
		assert_int_equal(state_commit(s), 0);
		assert_int_equal(number_at(s, "functions/prod/hello"), 1);
		state_put(s, "functions/prod/hello", NULL);
		assert_int_equal(number_at(s, "functions/prod/hello"), -1);
		assert_int_equal(state_commit(s), 0);
		assert_int_equal(number_at(s, "functions/prod/hello"), -1);
		state_free(s);
		free(dir);
	}
}

static void what_was_not_committed_is_gone(void **unused)
{
	struct state *s;

	(void)unused;
	assert_int_equal(state_open(folder, &s), 0);
	put_number(s, "a/b", 1);
	state_free(s);
	assert_int_equal(state_open(folder, &s), 0);
	assert_int_equal(number_at(s, "a/b"), -1);
	state_free(s);
}

static void join(const char *key, void *ctx)
{
	buf_addf(ctx, "%s ", key);
}

static void lists_by_prefix_sorted(void **unused)
{
	struct buf keys = BUF_INIT(1000);
	struct state *s;

	(void)unused;
	assert_int_equal(state_open(folder, &s), 0);
	put_number(s, "list/b/2", 1);
	put_number(s, "list/a/1", 1);
	put_number(s, "listing/x", 1);
	assert_int_equal(state_commit(s), 0);
	put_number(s, "list/c", 1);
	state_put(s, "list/b/2", NULL);
	state_each(s, "list", join, &keys);
	assert_string_equal(buf_str(&keys), "list/a/1 list/c ");
	buf_release(&keys);
	state_free(s);
}

static void damage_is_set_aside(void **unused)
{
	char *path = x_asprintf("%s/d/x.json", folder), *dir = x_asprintf("%s/d", folder);
	char *bad = x_asprintf("%s.bad", path);
	struct state *s;

	(void)unused;
	assert_int_equal(fs_mkdirs(dir, 0700), 0);
	assert_int_equal(fs_write_atomic(path, "{\"n\": ", 6, 0600), 0);
	assert_int_equal(state_open(folder, &s), 0);
	assert_int_equal(number_at(s, "d/x"), -1);
	assert_int_equal(access(bad, F_OK), 0);
	state_free(s);
	free(bad);
	free(path);
	free(dir);
}

/* Four processes add 50 each; without the lock some would be lost. */
static void add_fifty(void)
{
	struct state *s;

	for (int i = 0; i < 50; i++) {
		if (state_open(folder, &s))
			_exit(1);
		put_number(s, "ledger/spent", number_at(s, "ledger/spent") + 1);
		if (state_commit(s))
			_exit(2);
		state_free(s);
	}
	_exit(0);
}

static void one_at_a_time(void **unused)
{
	struct state *s;
	int status;

	(void)unused;
	assert_int_equal(state_open(folder, &s), 0);
	put_number(s, "ledger/spent", 0);
	assert_int_equal(state_commit(s), 0);
	for (int i = 0; i < 4; i++)
		if (fork() == 0)
			add_fifty();
	for (int i = 0; i < 4; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(number_at(s, "ledger/spent"), 200);
	state_free(s);
}

/* The planner holds what it read while its reader is slow; the collector behind must get on. */
static void put_alone_waits_for_nobody(void **unused)
{
	struct state *slow, *other;

	(void)unused;
	assert_int_equal(state_open(folder, &slow), 0);
	assert_int_equal(state_open(folder, &other), 0);
	assert_int_equal(number_at(slow, "durations/x"), -1);
	alarm(10); /* a wait for the lock would have no end */
	put_number(other, "durations/x", 7);
	assert_int_equal(state_commit(other), 0);
	alarm(0);
	assert_int_equal(number_at(slow, "durations/x"), 7);
	state_free(other);
	state_free(slow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back_after_commit),
		cmocka_unit_test(what_was_not_committed_is_gone),
		cmocka_unit_test(lists_by_prefix_sorted),
		cmocka_unit_test(damage_is_set_aside),
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(put_alone_waits_for_nobody),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
