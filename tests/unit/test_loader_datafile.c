/*
 * test_loader_datafile.c - files that a shard names: none outside of the folder, no other bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/base/fsio.h"
#include "common/digest/digest.h"

#include "cmd/loader/datafile.h"

#define TEXT "id\n1\n"

static void files_are_beneath_the_folder(void **state)
{
	static const struct {
		const char *name;
		size_t max_bytes;
		bool is_other;
		int rc;
	} cases[] = {
		{"in/a.csv", 100, false, 0},
		{"in/../in/a.csv", 5, false, 0},
		{"in/link.csv", 100, false, 0},
		{"in/a.csv", 4, false, -EFBIG},
		{"in/a.csv", 100, true, -ESTALE},
		{"in/none.csv", 100, false, -ENOENT},
		{"in", 100, false, -EINVAL},
		{"../out.csv", 100, false, -EXDEV},
		{"in/../../out.csv", 100, false, -EXDEV},
		{"out.csv", 100, false, -EXDEV}, /* a link to it */
		{"/etc/passwd", 1 << 20, false, -EXDEV},
		{"", 100, false, -ENOENT},
	};
	char root[] = "/tmp/plimsoll-files-XXXXXX", sha[SHA256_HEX_SIZE], why[DATAFILE_WHY_SIZE];
	static const char *const made[] = {"files/in/a.csv",
					   "files/in/link.csv",
					   "files/out.csv",
					   "files/in",
					   "files",
					   "out.csv",
					   ""};
	char *folder, *path;

	(void)state;
	assert_non_null(mkdtemp(root));
	folder = x_asprintf("%s/files", root);
	path = x_asprintf("%s/in", folder);
	assert_int_equal(fs_mkdirs(path, 0700), 0);
	free(path);
	path = x_asprintf("%s/in/a.csv", folder);
	assert_int_equal(fs_write_atomic(path, TEXT, strlen(TEXT), 0600), 0);
	free(path);
	path = x_asprintf("%s/in/link.csv", folder);
	assert_int_equal(symlink("a.csv", path), 0);
	free(path);
	path = x_asprintf("%s/out.csv", root);
	assert_int_equal(fs_write_atomic(path, TEXT, strlen(TEXT), 0600), 0);
	free(path);
	path = x_asprintf("%s/out.csv", folder);
	assert_int_equal(symlink("../out.csv", path), 0);
	free(path);
	digest_sha256_hex(TEXT, strlen(TEXT), sha);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;
		int rc = datafile_read(folder, cases[i].name, cases[i].is_other ? "00" : sha,
				       cases[i].max_bytes, &out, why);

		if (rc != cases[i].rc)
			fail_msg("%s: %d %s", cases[i].name, rc, rc ? why : "");
		assert_string_equal(buf_str(&out), rc ? "" : TEXT);
		buf_release(&out);
	}
	free(folder);
	for (size_t i = 0; i < ARRAY_LEN(made); i++) {
		path = x_asprintf("%s/%s", root, made[i]);
		assert_int_equal(remove(path), 0);
		free(path);
	}
}

static void without_a_folder_there_are_none(void **state)
{
	char why[DATAFILE_WHY_SIZE];
	struct buf out;

	(void)state;
	assert_int_equal(datafile_read(NULL, "a", "00", 1, &out, why), -ENOENT);
	assert_non_null(strstr(why, "--files"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_beneath_the_folder),
		cmocka_unit_test(without_a_folder_there_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
