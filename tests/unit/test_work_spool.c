/* The spool: what is in it survives, what is broken is put aside, a disk that fails costs nothing.
 */
#include "common/work/spool.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/fsio.h"
#include "common/base/log.h"

#define LINE "{\"specversion\":\"1.0\"}"

static char *folder;

static int make_folder(void **state)
{
	(void)state;
	folder = x_strdup("/tmp/test-work-spool-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static void remove_all(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *one = x_asprintf("%s/%s", path, e->d_name);

		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && unlink(one))
			remove_all(one);
		free(one);
	}
	if (d)
		closedir(d);
	(void)rmdir(path);
}

static int remove_folder(void **state)
{
	(void)state;
	remove_all(folder);
	free(folder);
	return 0;
}

static struct spool_key key_of(const char *run, int64_t index)
{
	struct spool_key k = {.index = index};

	(void)snprintf(k.run, sizeof(k.run), "%s", run);
	(void)snprintf(k.token, sizeof(k.token), "7.nonce");
	(void)snprintf(k.nonce, sizeof(k.nonce), "n1");
	return k;
}

static struct spool_item *put(struct spool *s, const char *run, int64_t index)
{
	struct spool_key k = key_of(run, index);

	return spool_put(s, &k, LINE, strlen(LINE));
}

static void expect_line(struct spool *s, struct spool_item *it)
{
	struct buf line = BUF_INIT(1024);

	assert_int_equal(spool_line(s, it, &line), 0);
	assert_string_equal(buf_str(&line), LINE);
	buf_release(&line);
}

static size_t files_in(const char *sub)
{
	char *path = x_asprintf("%s/%s", folder, sub);
	DIR *d = opendir(path);
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d)))
		n += e->d_type == DT_REG;
	if (d)
		closedir(d);
	free(path);
	return n;
}

static void write_text(const char *name, const char *text)
{
	char *path = x_asprintf("%s/%s", folder, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fputs(text, f) >= 0, 1);
	assert_int_equal(fclose(f), 0);
	free(path);
}

static void what_is_put_is_there_after_a_restart(void **state)
{
	struct spool s;
	struct spool_item *it;

	(void)state;
	assert_int_equal(spool_open(&s, folder), 0);
	assert_true(put(&s, "ra", 0)->is_durable);
	assert_true(put(&s, "ra", 1)->is_durable);
	assert_ptr_equal(put(&s, "ra", 1), spool_find(&s, "ra", 1, "7.nonce"));
	assert_int_equal(s.count, 2);
	spool_close(&s);
	assert_int_equal(spool_open(&s, folder), 0);
	assert_int_equal(s.count, 2);
	it = spool_find(&s, "ra", 1, "7.nonce");
	assert_non_null(it);
	assert_string_equal(it->key.nonce, "n1");
	expect_line(&s, it);
	assert_null(spool_find(&s, "ra", 1, "8.other"));
	spool_drop(&s, it);
	assert_int_equal(s.count, 1);
	spool_close(&s);
	assert_int_equal(files_in("."), 1);
}

static void broken_files_are_put_aside(void **state)
{
	static const char *const broken[] = {
		"",
		"plimsoll-spool 1 ra 0 7.nonce n1",
		"plimsoll-spool 2 ra 0 7.nonce n1 abc\n" LINE,
		"plimsoll-spool 1 ra x 7.nonce n1 abc\n" LINE,
		"plimsoll-spool 1 ra 0 7.nonce n1 abc\n" LINE,
		"something else entirely\n" LINE "\n",
	};
	struct spool s;

	(void)state;
	assert_int_equal(spool_open(&s, folder), 0);
	spool_close(&s);
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		char *name = x_asprintf("r%zu.0.7.nonce.result", i);

		write_text(name, broken[i]);
		free(name);
	}
	write_text("ra.0.7.nonce.result.tmp", "half a");
	write_text("README", "not ours");
	assert_int_equal(spool_open(&s, folder), 0);
	assert_int_equal(s.count, 0);
	spool_close(&s);
	assert_int_equal(files_in("bad"), ARRAY_LEN(broken));
	assert_int_equal(files_in("."), 1);
}

static void a_file_that_changes_is_put_aside(void **state)
{
	struct spool s;
	struct buf line = BUF_INIT(1024);

	(void)state;
	assert_int_equal(spool_open(&s, folder), 0);
	write_text("ra.0.7.nonce.result", "x"); /* what was put is overwritten by somebody */
	(void)put(&s, "rb", 0);
	write_text("rb.0.7.nonce.result", "x");
	assert_int_equal(spool_line(&s, s.first, &line), -EBADMSG);
	assert_int_equal(s.count, 0);
	assert_int_equal(files_in("bad"), 1);
	spool_close(&s);
	buf_release(&line);
}

/* A file may not grow (as on a full disk), no descriptor is left, the name is taken by a folder. */
static void limit(int what, rlim_t most, struct rlimit *before)
{
	struct rlimit now;

	assert_int_equal(getrlimit(what, before), 0);
	now = *before;
	now.rlim_cur = most;
	assert_int_equal(setrlimit(what, &now), 0);
}

static void expect_memory_only(struct spool *s, const char *run)
{
	struct spool_item *it = spool_find(s, run, 0, "7.nonce");

	assert_non_null(it);
	assert_false(it->is_durable);
	expect_line(s, it);
	spool_drop(s, it);
}

static void a_disk_that_fails_leaves_the_result_in_memory(void **state)
{
	struct rlimit before;
	struct spool s;
	char *path;

	(void)state;
	assert_int_equal(spool_open(&s, folder), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	limit(RLIMIT_FSIZE, 16, &before);
	(void)put(&s, "rfull", 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	expect_memory_only(&s, "rfull");
	limit(RLIMIT_NOFILE, 0, &before);
	(void)put(&s, "rfiles", 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	expect_memory_only(&s, "rfiles");
	path = x_asprintf("%s/rname.0.7.nonce.result", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)put(&s, "rname", 0);
	expect_memory_only(&s, "rname");
	free(path);
	assert_int_equal(files_in("."), 0);
	assert_true(put(&s, "rgood", 0)->is_durable);
	spool_close(&s);
}

static void no_folder_is_an_error(void **state)
{
	struct spool s;

	(void)state;
	assert_int_equal(spool_open(&s, "/dev/null/spool"), -ENOTDIR);
	spool_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_put_is_there_after_a_restart, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(broken_files_are_put_aside, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(a_file_that_changes_is_put_aside, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(a_disk_that_fails_leaves_the_result_in_memory,
						make_folder, remove_folder),
		cmocka_unit_test(no_folder_is_an_error),
	};

	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
