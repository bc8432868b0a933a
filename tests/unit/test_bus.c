/* The bus: who is let in, what arrives, and what happens to messages that nobody should send. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/fsio.h"
#include "common/bus/own.h"
#include "common/bus/pack.h"

#define WAIT_NS (10 * NS_PER_S)
#define REFUSED_NS (1500 * NS_PER_MS) /* long enough that a friend is heard ten times over */

struct pair {
	char public_key[BUS_KEY_SIZE], secret_key[BUS_KEY_SIZE];
};

static struct {
	char dir[64], list[96], endpoint[96];
	struct loop *loop;
	struct bus *bus;
	struct bus_socket *router;
	struct pair server, one, two;
	/* what the router heard */
	size_t heard;
	struct bus_peer peer;
	size_t part_count;
	char text[256];
	size_t bytes;
	bool has_echo, closes;
} t;

static void on_heard(struct bus_socket *s, const struct bus_peer *peer,
		     const struct bus_part *parts, size_t count, void *ctx)
{
	assert_ptr_equal(ctx, &t);
	t.heard++;
	t.peer = *peer;
	t.part_count = count;
	t.bytes = parts[0].len_bytes;
	snprintf(t.text, sizeof(t.text), "%.*s", (int)MIN_OF(parts[0].len_bytes, (size_t)200),
		 (const char *)parts[0].data);
	if (t.has_echo)
		assert_int_equal(bus_send(s, peer, parts, count), 0);
	if (t.closes) {
		bus_socket_close(s);
		t.router = NULL;
	}
}

static void write_list(const char *text)
{
	assert_int_equal(fs_write_atomic(t.list, text, strlen(text), 0600), 0);
}

static void allow(const struct pair *one, const struct pair *two)
{
	char *text = x_asprintf("# who may speak\n%s %s\n%s %s\n", one ? "one" : "#",
				one ? one->public_key : "", two ? "two" : "#",
				two ? two->public_key : "");

	write_list(text);
	free(text);
}

static int listen_on(const char *endpoint, char why[200])
{
	struct bus_listen how = {.endpoints = (const char *[]){endpoint},
				 .endpoint_count = 1,
				 .secret_key = t.server.secret_key,
				 .heard = on_heard,
				 .ctx = &t};

	return bus_listen_on(t.bus, &how, &t.router, why);
}

static int setup(void **state)
{
	char why[200];

	(void)state;
	memset(&t, 0, sizeof(t));
	snprintf(t.dir, sizeof(t.dir), "/tmp/plimsoll-bus-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	snprintf(t.list, sizeof(t.list), "%s/loaders", t.dir);
	snprintf(t.endpoint, sizeof(t.endpoint), "ipc://%s/work", t.dir);
	bus_key_new(t.server.public_key, t.server.secret_key);
	bus_key_new(t.one.public_key, t.one.secret_key);
	bus_key_new(t.two.public_key, t.two.secret_key);
	allow(&t.one, &t.two);
	t.loop = loop_new();
	t.bus = bus_new(t.loop);
	assert_int_equal(bus_allow(t.bus, t.list, why), 0);
	assert_int_equal(listen_on(t.endpoint, why), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	bus_free(t.bus);
	loop_free(t.loop);
	unlink(t.list);
	unlink(t.endpoint +
	       strlen("ipc://")); /* libzmq leaves it; the next to bind takes it away */
	assert_int_equal(rmdir(t.dir), 0);
	return 0;
}

static void turn_until(bool (*is_so)(void), int64_t within_ns)
{
	struct mono end = mono_add_ns(mono_now(), within_ns);

	while (!is_so() && mono_is_before(mono_now(), end))
		loop_turn(t.loop, 20 * NS_PER_MS);
}

static bool never(void)
{
	return false;
}

static size_t wanted;

static bool has_heard(void)
{
	return t.heard >= wanted;
}

static void want_heard(size_t count)
{
	wanted = count;
	turn_until(has_heard, WAIT_NS);
	assert_int_equal(t.heard, count);
}

/* ---- our own DEALER ---- */

static size_t answers;

static void on_answer(struct bus_socket *s, const struct bus_peer *peer,
		      const struct bus_part *parts, size_t count, void *ctx)
{
	(void)s, (void)parts, (void)count, (void)ctx;
	assert_null(peer);
	answers++;
}

static bool has_answer(void)
{
	return answers >= wanted;
}

static struct bus_socket *dealer(const struct pair *keys)
{
	struct bus_connect how = {.endpoint = t.endpoint,
				  .secret_key = keys->secret_key,
				  .server_key = t.server.public_key,
				  .heard = on_answer};
	struct bus_socket *s = NULL;
	char why[200];

	assert_int_equal(bus_connect_to(t.bus, &how, &s, why), 0);
	return s;
}

/* Until it is connected a DEALER says EAGAIN. */
static int send_within(struct bus_socket *s, const struct bus_part *parts, size_t count,
		       int64_t within_ns)
{
	struct mono end = mono_add_ns(mono_now(), within_ns);
	int rc;

	while ((rc = bus_send(s, NULL, parts, count)) == -EAGAIN && mono_is_before(mono_now(), end))
		loop_turn(t.loop, 5 * NS_PER_MS);
	return rc;
}

static void say(struct bus_socket *s, const char *text)
{
	struct bus_part f = {text, strlen(text)};

	assert_int_equal(send_within(s, &f, 1, WAIT_NS), 0);
}

static void test_both_ways(void **state)
{
	struct bus_socket *a, *b;

	(void)state;
	t.has_echo = true;
	answers = 0;
	a = dealer(&t.one);
	say(a, "hello");
	want_heard(1);
	assert_string_equal(t.peer.name, "one");
	assert_string_equal(t.peer.key, t.one.public_key);
	assert_string_equal(t.text, "hello");
	wanted = 1;
	turn_until(has_answer, WAIT_NS);
	assert_int_equal(answers, 1);
	b = dealer(&t.two);
	say(b, "");
	want_heard(2);
	assert_string_equal(t.peer.name, "two");
	assert_string_equal(t.text, "");
}

/* libzmq's descriptor tells an edge: one receive a wake-up would hang with most of these unread. */
static void test_ten_thousand_in_a_burst(void **state)
{
	struct bus_socket *a;

	(void)state;
	a = dealer(&t.one);
	for (int i = 0; i < 10000; i++)
		say(a, "x");
	want_heard(10000);
}

/* An answer to each, so that sending eats edges on both sides; and both ask first. */
static void test_a_thousand_answers(void **state)
{
	struct bus_socket *a, *b;

	(void)state;
	t.has_echo = true;
	answers = 0;
	a = dealer(&t.one);
	b = dealer(&t.two);
	for (int i = 0; i < 500; i++) {
		say(a, "x");
		say(b, "y");
		if (i % 40 == 0)
			want_heard((size_t)i * 2 + 2); /* stay under the high-water mark */
	}
	want_heard(1000);
	wanted = 1000;
	turn_until(has_answer, WAIT_NS);
	assert_int_equal(answers, 1000);
}

static void test_the_largest_go_through(void **state)
{
	static const size_t counts[] = {1, BUS_PARTS_MAX};
	char *data = x_calloc(1, BUS_MESSAGE_MAX_BYTES);
	struct bus_part parts[BUS_PARTS_MAX];
	struct bus_socket *a = dealer(&t.one);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		for (size_t k = 0; k < counts[i]; k++)
			parts[k] = (struct bus_part){data, BUS_MESSAGE_MAX_BYTES / counts[i]};
		assert_int_equal(send_within(a, parts, counts[i], WAIT_NS), 0);
		want_heard(i + 1);
		assert_int_equal(t.part_count, counts[i]);
		assert_int_equal(t.bytes, BUS_MESSAGE_MAX_BYTES / counts[i]);
	}
	assert_int_equal(bus_send(a, NULL, parts, 0), -EMSGSIZE);
	free(data);
}

static void test_peer_that_went(void **state)
{
	struct bus_part f = {"x", 1};
	struct bus_socket *a;

	(void)state;
	a = dealer(&t.one);
	say(a, "hello");
	want_heard(1);
	assert_int_equal(bus_send(t.router, &t.peer, &f, 1), 0);
	bus_socket_close(a);
	turn_until(never, 300 * NS_PER_MS);
	assert_int_equal(bus_send(t.router, &t.peer, &f, 1), -EHOSTUNREACH);
}

static void test_close_from_heard(void **state)
{
	struct bus_socket *a;

	(void)state;
	t.closes = true;
	a = dealer(&t.one);
	say(a, "1");
	say(a, "2");
	want_heard(1);
	turn_until(never, 100 * NS_PER_MS);
	assert_int_equal(t.heard, 1);
}

/* ---- strangers, with libzmq itself ---- */

static void *raw_context;

static void set_curve(void *s, const struct pair *keys)
{
	assert_int_equal(zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, t.server.public_key, 41), 0);
	assert_int_equal(zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, keys->public_key, 41), 0);
	assert_int_equal(zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, keys->secret_key, 41), 0);
}

static void *raw_dealer(void)
{
	void *s;

	if (!raw_context)
		raw_context = zmq_ctx_new();
	s = zmq_socket(raw_context, ZMQ_DEALER);
	assert_non_null(s);
	bus_set_int(s, ZMQ_LINGER, 0);
	return s;
}

static void raw_close(void *s)
{
	assert_int_equal(zmq_close(s), 0);
	zmq_ctx_term(raw_context);
	raw_context = NULL;
}

/* What a bus_send of this one part puts into a frame. */
static void raw_say(void *s, const char *text)
{
	struct bus_part part = {text, strlen(text)};
	int len_bytes = (int)bus_packed_bytes(&part, 1);
	char frame[64];

	bus_pack(&part, 1, frame);
	assert_int_equal(zmq_send(s, frame, (size_t)len_bytes, 0), len_bytes);
}

static void with_stranger(void *s)
{
	struct pair stranger;

	bus_key_new(stranger.public_key, stranger.secret_key);
	set_curve(s, &stranger);
}

static void with_null(void *s)
{
	(void)s;
}

static void with_plain(void *s)
{
	assert_int_equal(zmq_setsockopt(s, ZMQ_PLAIN_USERNAME, "one", 3), 0);
	assert_int_equal(zmq_setsockopt(s, ZMQ_PLAIN_PASSWORD, t.one.public_key, 40), 0);
}

/* The public key of a friend, which is no secret, with another secret. */
static void with_friends_public_key(void *s)
{
	struct pair mixed = t.two;

	memcpy(mixed.public_key, t.one.public_key, BUS_KEY_SIZE);
	set_curve(s, &mixed);
}

static void with_one(void *s)
{
	set_curve(s, &t.one);
}

static void reload(void)
{
	char why[200];

	(void)!bus_allow_reload(t.bus, why);
}

static void list_empty(void)
{
	write_list("# nobody\n");
	reload();
}

static void list_gone(void)
{
	unlink(t.list);
	reload();
}

static void list_unreadable(void)
{
	unlink(t.list);
	assert_int_equal(mkdir(t.list, 0700), 0); /* root may read anything but a folder */
	reload();
	assert_int_equal(rmdir(t.list), 0);
}

static void list_broken(void)
{
	char *text = x_asprintf("one %s\ntwo\n", t.one.public_key);

	write_list(text);
	free(text);
	reload();
}

static void list_never_named(void)
{
	bus_socket_close(t.router);
	bus_free(t.bus);
	t.bus = bus_new(t.loop);
	assert_int_equal(listen_on(t.endpoint, (char[200]){""}), 0);
}

/* ZAP_ENFORCE_DOMAIN: without a handler nobody is let in, where libzmq's default is everybody. */
static void handler_gone(void)
{
	bus_socket_close(t.bus->zap);
}

static void handler_deaf(void)
{
	loop_unwatch(t.loop, &t.bus->zap->watch);
}

static void test_zap_matrix(void **state)
{
	static const struct {
		const char *name;
		void (*server)(void);
		void (*client)(void *s);
		bool is_heard;
	} cases[] = {
		{"a friend", reload, with_one, true},
		{"unknown key", reload, with_stranger, false},
		{"NULL", reload, with_null, false},
		{"PLAIN", reload, with_plain, false},
		{"a friend's public key", reload, with_friends_public_key, false},
		{"empty list", list_empty, with_one, false},
		{"list gone", list_gone, with_one, false},
		{"list unreadable", list_unreadable, with_one, false},
		{"list broken", list_broken, with_one, false},
		{"no list", list_never_named, with_one, false},
		{"no handler", handler_gone, with_one, false},
		{"deaf handler", handler_deaf, with_one, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		void *s;

		if (i) {
			teardown(state);
			setup(state);
		}
		cases[i].server();
		s = raw_dealer();
		cases[i].client(s);
		assert_int_equal(zmq_connect(s, t.endpoint), 0);
		raw_say(s, "let me in");
		wanted = 1;
		turn_until(has_heard, cases[i].is_heard ? WAIT_NS : REFUSED_NS);
		if (t.heard != cases[i].is_heard)
			fail_msg("%s: heard %zu", cases[i].name, t.heard);
		raw_close(s);
	}
}

static void test_not_heard_after_revocation(void **state)
{
	struct bus_part f = {"x", 1};
	struct bus_socket *a, *b;

	(void)state;
	a = dealer(&t.one);
	b = dealer(&t.two);
	say(b, "from two");
	want_heard(1);
	say(a, "1");
	want_heard(2);
	allow(NULL, &t.two);
	turn_until(never, 1500 * NS_PER_MS); /* the bus sees by itself that the file changed */
	assert_false(bus_is_allowed(t.bus, "one"));
	say(a, "2");
	say(b, "from two");
	want_heard(3);
	assert_string_equal(t.peer.name, "two");
	snprintf(t.peer.name, sizeof(t.peer.name), "one");
	assert_int_equal(bus_send(t.router, &t.peer, &f, 1), -EHOSTUNREACH);
}

/* A name that was given to a new key: who still holds the old one is nobody. */
static void test_old_key_of_a_name(void **state)
{
	struct pair fresh;
	struct bus_socket *a, *b;

	(void)state;
	bus_key_new(fresh.public_key, fresh.secret_key);
	a = dealer(&t.one);
	say(a, "1");
	want_heard(1);
	allow(&fresh, NULL);
	reload();
	say(a, "2");
	b = dealer(&fresh);
	say(b, "3");
	want_heard(2);
	assert_string_equal(t.text, "3");
	assert_string_equal(t.peer.name, "one");
}

/* Refused, then allowed: it comes in by itself. */
static void test_allowed_later(void **state)
{
	struct bus_socket *a;

	(void)state;
	allow(NULL, &t.two);
	reload();
	a = dealer(&t.one);
	turn_until(never, 1500 * NS_PER_MS);
	allow(&t.one, &t.two);
	reload();
	for (int i = 0; i < 100 && !t.heard; i++) {
		(void)!bus_send(a, NULL, &(struct bus_part){"x", 1}, 1);
		turn_until(never, 100 * NS_PER_MS);
	}
	assert_int_not_equal(t.heard, 0);
}

static void renew_now(struct bus_socket *s)
{
	loop_timer_set_in(t.loop, &s->renew, 0);
	turn_until(never, 50 * NS_PER_MS);
}

/* A dealer that has met a server without CURVE, then its own: true once it has given up. */
static bool meets_a_stranger_first(struct bus_socket *a, int64_t for_ns)
{
	void *null_server = raw_dealer();
	char why[200];

	assert_int_equal(zmq_bind(null_server, t.endpoint), 0);
	turn_until(never, for_ns);
	raw_close(null_server);
	assert_int_equal(listen_on(t.endpoint, why), 0);
	turn_until(never, 3 * for_ns);
	return bus_send(a, NULL, &(struct bus_part){"x", 1}, 1) == -EAGAIN;
}

/* After a server that speaks no CURVE libzmq gives up for ever: the socket is made anew. */
static void test_dealer_after_a_server_that_is_none_of_ours(void **state)
{
	struct bus_socket *a = NULL;
	bool has_given_up = false;

	(void)state;
	/* On a busy machine it may not have met the stranger in time: once more, with more time. */
	for (int i = 1; i <= 5 && !has_given_up; i++) {
		bus_socket_close(a);
		bus_socket_close(t.router);
		turn_until(never, 100 * NS_PER_MS);
		a = dealer(&t.one);
		has_given_up = meets_a_stranger_first(a, i * 500 * NS_PER_MS);
	}
	assert_true(has_given_up);
	t.heard = 0;
	renew_now(a); /* sees that nothing can be sent */
	renew_now(a); /* and still not: a new socket */
	say(a, "back");
	want_heard(1);
	assert_string_equal(t.text, "back");
}

/* Who takes another's routing id keeps its own name, and takes nothing away from it. */
static void test_spoofed_routing_id(void **state)
{
	void *a = raw_dealer(), *b = raw_dealer();
	char got[16] = "";
	struct bus_peer one;

	(void)state;
	set_curve(a, &t.one);
	set_curve(b, &t.two);
	assert_int_equal(zmq_setsockopt(a, ZMQ_ROUTING_ID, "loader-one", 10), 0);
	assert_int_equal(zmq_setsockopt(b, ZMQ_ROUTING_ID, "loader-one", 10), 0);
	assert_int_equal(zmq_connect(a, t.endpoint), 0);
	raw_say(a, "a");
	want_heard(1);
	one = t.peer;
	assert_string_equal(one.name, "one");
	assert_int_equal(zmq_connect(b, t.endpoint), 0);
	zmq_send(b, "b", 1, ZMQ_DONTWAIT);
	wanted = 2;
	turn_until(has_heard, REFUSED_NS);
	if (t.heard == 2)
		assert_string_equal(t.peer.name, "two");
	assert_int_equal(bus_send(t.router, &one, &(struct bus_part){"work", 4}, 1), 0);
	turn_until(never, 200 * NS_PER_MS);
	assert_int_equal(zmq_recv(a, got, sizeof(got), ZMQ_DONTWAIT), 9);
	assert_int_equal(zmq_recv(b, got, sizeof(got), ZMQ_DONTWAIT), -1);
	assert_int_equal(zmq_close(b), 0);
	raw_close(a);
}

/* On the wire, each way: half a message is what libzmq 4.3.4 aborts at (pack.h). */
static void test_one_frame_a_message(void **state)
{
	static const char want[] = "\2\0\0\0\1a\0\0\0\0\0\0\0\2bc";
	int len_bytes = sizeof(want) - 1;
	void *s = raw_dealer();
	char got[64] = "";

	(void)state;
	t.has_echo = true;
	set_curve(s, &t.one);
	assert_int_equal(zmq_connect(s, t.endpoint), 0);
	assert_int_equal(zmq_send(s, want, (size_t)len_bytes, 0), len_bytes);
	turn_until(never, 500 * NS_PER_MS);
	assert_int_equal(zmq_recv(s, got, sizeof(got), ZMQ_DONTWAIT), len_bytes);
	assert_memory_equal(got, want, (size_t)len_bytes);
	raw_close(s);
}

static void test_malformed_messages(void **state)
{
	static const int counts[] = {1, 2, BUS_FRAMES_MAX - 1, BUS_FRAMES_MAX, 1000, 34, 1};
	static char big[BUS_PACKED_MAX_BYTES];
	void *s = raw_dealer();

	(void)state;
	set_curve(s, &t.one);
	assert_int_equal(zmq_connect(s, t.endpoint), 0);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		for (int k = counts[i]; k; k--)
			assert_int_equal(zmq_send(s, "", 0, k > 1 ? ZMQ_SNDMORE : 0), 0);
	/* as large as libzmq lets through, without and with our version in front */
	assert_int_equal(zmq_send(s, big, sizeof(big), 0), (int)sizeof(big));
	big[0] = BUS_VERSION;
	assert_int_equal(zmq_send(s, big, sizeof(big), 0), (int)sizeof(big));
	raw_say(s, "end");
	want_heard(1);
	assert_string_equal(t.text, "end");
	raw_close(s);
}

/* ---- endpoints ---- */

static void test_endpoints(void **state)
{
	char why[200] = "", *taken = x_asprintf("ipc://%s", t.list);
	struct bus_socket *first = t.router;

	(void)state;
	/* a file, a socket that somebody listens on, no folder, no such transport */
	assert_int_equal(listen_on(taken, why), -EEXIST);
	assert_int_equal(listen_on(t.endpoint, why), -EADDRINUSE);
	assert_int_equal(listen_on("ipc:///nonexistent/x", why), -ENOENT);
	assert_int_equal(listen_on("pigeon://x", why), -EPROTONOSUPPORT);
	assert_ptr_equal(t.router, first);
	assert_int_equal(access(t.list, F_OK), 0);
	free(taken);
}

static void test_socket_file_is_for_our_group(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(t.endpoint + strlen("ipc://"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
}

int main(void)
{
#define WITH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH(test_both_ways),
		WITH(test_ten_thousand_in_a_burst),
		WITH(test_a_thousand_answers),
		WITH(test_the_largest_go_through),
		WITH(test_peer_that_went),
		WITH(test_close_from_heard),
		WITH(test_zap_matrix),
		WITH(test_not_heard_after_revocation),
		WITH(test_old_key_of_a_name),
		WITH(test_allowed_later),
		WITH(test_dealer_after_a_server_that_is_none_of_ours),
		WITH(test_spoofed_routing_id),
		WITH(test_one_frame_a_message),
		WITH(test_malformed_messages),
		WITH(test_endpoints),
		WITH(test_socket_file_is_for_our_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
