/*
 * What the fuzzers found worth keeping (tests/fuzz/corpus), once more: each input ran into a path
 * of its own, or into a fault that has been mended. Cut at the places that its second byte says,
 * and at those of other seeds.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/fsio.h"
#include "tests/fuzz/target.h"

#define CORPUS "tests/fuzz/corpus/"
#define INPUT_MAX_BYTES (64u * 1024u)
#define SEEDS 4

/* Its own block of that size: a read past the end is seen. */
static void try_copy(const struct buf *input, uint8_t seed,
		     void (*fuzz)(const uint8_t *data, size_t len_bytes))
{
	uint8_t *copy = malloc(MAX_OF(input->len_bytes, (size_t)1));

	assert_non_null(copy);
	memcpy(copy, buf_str(input), input->len_bytes);
	if (input->len_bytes > 1)
		copy[1] = (uint8_t)(copy[1] + seed);
	fuzz(copy, input->len_bytes);
	free(copy);
}

static void replay(const char *folder, void (*fuzz)(const uint8_t *data, size_t len_bytes))
{
	struct buf input = BUF_INIT(INPUT_MAX_BYTES);
	DIR *d = opendir(folder);
	size_t count = 0;

	assert_non_null(d);
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		char path[sizeof(CORPUS) + sizeof(e->d_name) + 32];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		buf_clear(&input);
		assert_int_equal(fs_read(path, &input), 0);
		for (uint8_t seed = 0; seed < SEEDS; seed++)
			try_copy(&input, seed, fuzz);
		count++;
	}
	closedir(d);
	buf_release(&input);
	assert_true(count >= 20);
}

static void answers_of_http1(void **state)
{
	(void)state;
	replay(CORPUS "http1", fuzz_http1);
}

static void connections_of_http2(void **state)
{
	(void)state;
	replay(CORPUS "http2", fuzz_http2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_of_http1),
		cmocka_unit_test(connections_of_http2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
