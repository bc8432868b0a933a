/* Vectors: FIPS 180-2, RFC 4231, RFC 4648; the id's from Python's hashlib and base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "common/digest/digest.h"

static void test_sha256_and_hmac(void **state)
{
	char hex[SHA256_HEX_SIZE];
	uint8_t mac[SHA256_BYTES];

	(void)state;
	digest_sha256_hex("abc", 3, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_sha256_hex(NULL, 0, hex);
	assert_string_equal(hex,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	digest_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, mac);
	digest_hex(mac, sizeof(mac), hex);
	assert_string_equal(hex,
			    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	digest_hmac_sha256(NULL, 0, NULL, 0, mac);
	digest_hex(mac, sizeof(mac), hex);
	assert_string_equal(hex,
			    "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_base64(void **state)
{
	static const struct {
		const char *plain, *text;
	} cases[] = {{"", ""},	      {"f", "Zg=="},	     {"fo", "Zm8="},
		     {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},  {"fooba", "Zm9vYmE="},
		     {"{}", "e30="},  {"foobar", "Zm9vYmFy"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = BUF_INIT(100);

		digest_base64(cases[i].plain, strlen(cases[i].plain), &out);
		assert_string_equal(buf_str(&out), cases[i].text);
		buf_clear(&out);
		assert_int_equal(digest_base64_decode(cases[i].text, strlen(cases[i].text), &out),
				 0);
		assert_string_equal(buf_str(&out), cases[i].plain);
		buf_release(&out);
	}
}

static void test_base64_of_all_bytes(void **state)
{
	struct buf text = BUF_INIT(1000), back = BUF_INIT(1000);
	uint8_t all[256];

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(255 - i);
	digest_base64(all, sizeof(all), &text);
	assert_int_equal(digest_base64_decode(buf_str(&text), text.len_bytes, &back), 0);
	assert_int_equal(back.len_bytes, sizeof(all));
	assert_memory_equal(back.data, all, sizeof(all));
	buf_release(&text);
	buf_release(&back);
}

static void test_base64_refusals(void **state)
{
	static const char *const bad[] = {
		"Zg",	"Zg=",	"Zg===", "Z===",     "====", "Zm9v\n",
		"Zm 9", "Zh==", "Zm9=",	 "Zg==Zg==", "Zm9-", "\xc3\xa9=="};
	struct buf out = BUF_INIT(100), tiny = BUF_INIT(3);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(digest_base64_decode(bad[i], strlen(bad[i]), &out), -EINVAL);
	assert_int_equal(digest_base64_decode("Zm9vYmFy", 8, &tiny), -E2BIG);
	buf_release(&out);
	buf_release(&tiny);
}

static void test_ids(void **state)
{
	char id[DIGEST_ID_SIZE], other[DIGEST_ID_SIZE];

	(void)state;
	digest_id('c', (const char *[]){"prod/hello", "code", "80497f44"}, 3, id);
	assert_string_equal(id, "cocbzddgo4z3nticxwdad");
	/* The NUL after each part keeps ("ab","c") and ("a","bc") apart. */
	digest_id('r', (const char *[]){"ab", "c"}, 2, id);
	digest_id('r', (const char *[]){"a", "bc"}, 2, other);
	assert_string_not_equal(id, other);
	digest_id_random('m', id);
	digest_id_random('m', other);
	assert_int_equal(strlen(id), 21);
	assert_int_equal(strspn(id, "abcdefghijklmnopqrstuvwxyz234567"), 21);
	assert_string_not_equal(id, other);
}

static void test_small_ones(void **state)
{
	char secret[4] = "abc";

	(void)state;
	digest_wipe(secret, sizeof(secret));
	assert_memory_equal(secret, "\0\0\0\0", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256_and_hmac),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_base64_of_all_bytes),
		cmocka_unit_test(test_base64_refusals),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_small_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
