/* URLs and encoding; the transfers themselves are held against real servers in test_aws.py. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "common/http/http.h"

static void test_split(void **state)
{
	static const struct {
		const char *url;
		bool is_tls;
		const char *host;
		uint16_t port;
		const char *path, *query;
	} good[] = {
		{"http://h", false, "h", 80, "", NULL},
		{"HTTPS://h/", true, "h", 443, "/", NULL},
		{"http://127.0.0.1:4566/a/b?c=d?e#f", false, "127.0.0.1", 4566, "/a/b", "c=d?e"},
		{"http://[::1]:80/x", false, "::1", 80, "/x", NULL},
		{"http://[::1]?", false, "::1", 80, "", ""},
		{"http://h:65535?q", false, "h", 65535, "", "q"},
	};
	static const char *const bad[] = {"",
					  "h",
					  "ftp://h",
					  "http://",
					  "http:///x",
					  "http://h:",
					  "http://h:0",
					  "http://h:65536",
					  "http://h:1x",
					  "http://u@h",
					  "http://[::1",
					  "http://[::1]x",
					  "http://:1",
					  "http://h/a b",
					  "http://h/\r\nX",
					  "http://h:123456"};
	struct http_url u;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(http_url_split(good[i].url, &u), 0);
		assert_int_equal(u.is_tls, good[i].is_tls);
		assert_int_equal(u.port, good[i].port);
		assert_int_equal(u.host_bytes, strlen(good[i].host));
		assert_memory_equal(u.host, good[i].host, u.host_bytes);
		assert_int_equal(u.path_bytes, strlen(good[i].path));
		assert_memory_equal(u.path, good[i].path, u.path_bytes);
		assert_int_equal(u.query != NULL, good[i].query != NULL);
		if (u.query) {
			assert_int_equal(u.query_bytes, strlen(good[i].query));
			assert_memory_equal(u.query, good[i].query, u.query_bytes);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(http_url_split(bad[i], &u), -EINVAL);
}

static void test_encode(void **state)
{
	static const struct {
		const char *text, *keep, *want;
	} cases[] = {
		{"aZ09-_.~", "", "aZ09-_.~"},
		{"a/b c%:+", "", "a%2Fb%20c%25%3A%2B"},
		{"a/b c", "/", "a/b%20c"},
		{"\xe1\x88\xb4", "", "%E1%88%B4"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = BUF_INIT(100);

		http_encode(cases[i].text, strlen(cases[i].text), cases[i].keep, &out);
		assert_string_equal(buf_str(&out), cases[i].want);
		buf_release(&out);
	}
}

static void test_response_headers(void **state)
{
	struct http_response r = HTTP_RESPONSE_INIT;
	char value[16];

	(void)state;
	buf_init(&r.head, 1000);
	buf_adds(&r.head, "Content-Type: text/plain\r\nX-Empty:\r\nRetry-After:  7 \r\n"
			  "X-Long: 0123456789abcdefghij\r\n");
	assert_true(http_response_header(&r, "retry-after", value, sizeof(value)));
	assert_string_equal(value, "7");
	assert_true(http_response_header(&r, "x-empty", value, sizeof(value)));
	assert_string_equal(value, "");
	assert_true(http_response_header(&r, "X-LONG", value, sizeof(value)));
	assert_string_equal(value, "0123456789abcde");
	assert_false(http_response_header(&r, "Content", value, sizeof(value)));
	http_response_release(&r);
}

static bool yes(void *ctx)
{
	(void)ctx;
	return true;
}

static void test_refused_before_anything_is_sent(void **state)
{
	static const struct {
		const char *url;
		struct http_header header;
		bool is_stopped;
		int want;
	} cases[] = {
		{"file:///etc/passwd", {"A", "b"}, false, -EINVAL},
		{"http://127.0.0.1:1/", {"A", "b\nC: d"}, false, -EINVAL},
		{"http://127.0.0.1:1/", {"A b", "c"}, false, -EINVAL},
		{"http://127.0.0.1:1/", {"A", "b"}, true, -ECANCELED},
		{"http://127.0.0.1:1/", {"A", "b"}, false, -ECONNREFUSED},
	};
	struct http_response r = HTTP_RESPONSE_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http *h = http_new(
			&(struct http_options){.is_stopped = cases[i].is_stopped ? yes : NULL});
		struct http_request req = {.method = "GET",
					   .url = cases[i].url,
					   .headers = &cases[i].header,
					   .header_count = 1};

		assert_int_equal(http_do(h, &req, &r), cases[i].want);
		assert_true(strlen(r.why) > 0);
		http_free(h);
	}
	http_response_release(&r);
}

static bool nobody(const struct sockaddr *addr, socklen_t addr_bytes, void *ctx)
{
	(void)addr_bytes;
	*(int *)ctx = addr->sa_family;
	return false;
}

static void test_address_check(void **state)
{
	int family = 0;
	struct http *h =
		http_new(&(struct http_options){.is_allowed = nobody, .allow_ctx = &family});
	struct http_request req = {.method = "GET", .url = "http://127.0.0.1:1/"};
	struct http_response r = HTTP_RESPONSE_INIT;

	(void)state;
	assert_int_equal(http_do(h, &req, &r), -EACCES);
	assert_int_equal(family, AF_INET);
	assert_non_null(strstr(r.why, "not allowed"));
	http_response_release(&r);
	http_free(h);
}

static void test_pending_signal(void **state)
{
	sigset_t set, before;
	int signo;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	assert_int_equal(sigprocmask(SIG_BLOCK, &set, &before), 0);
	assert_false(http_signal_pending(NULL));
	assert_int_equal(raise(SIGTERM), 0);
	assert_true(http_signal_pending(NULL));
	assert_int_equal(sigwait(&set, &signo), 0);
	assert_false(http_signal_pending(NULL));
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_response_headers),
		cmocka_unit_test(test_refused_before_anything_is_sent),
		cmocka_unit_test(test_address_check),
		cmocka_unit_test(test_pending_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
