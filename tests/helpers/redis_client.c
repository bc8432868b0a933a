/*
 * redis_client - drives common/redis for tests/integration/test_redis.py.
 *
 *	redis_client SOCKET TIMEOUT_MS [USER PASSWORD [CHANNEL]] < lines
 *
 * A line is a call: "repeat ARG ARG ..." or "once ARG ARG ..."; "many N PREFIX LIST" pushes
 *PREFIX1..N to a list. Prints reply/error/lost, up/down, hello and message lines; ends after "end"
 *when all is answered, or by a signal.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>

#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/redis/redis.h"

static struct redis *client;
static struct loop *loop;
static bool is_ending;

static void say(const char *what, const char *text)
{
	printf("%s %s\n", what, text ? text : "(nil)");
	fflush(stdout);
}

static void end_if_idle(void)
{
	if (is_ending && redis_open_calls(client) == 0)
		loop_stop(loop);
}

static void on_reply(const struct redis_reply *reply, void *ctx)
{
	struct buf text = BUF_INIT(1024 * 1024);
	char *label = ctx;

	buf_addf(&text, "%s", label);
	for (size_t i = 0; i < reply->count; i++)
		buf_addf(&text, " %s", reply->parts[i].data ? reply->parts[i].data : "(nil)");
	if (reply->is_error)
		buf_addf(&text, " %s", reply->error);
	say(reply->is_lost ? "lost" : reply->is_error ? "error" : "reply", buf_str(&text));
	buf_release(&text);
	free(label);
	end_if_idle();
}

static void on_quiet(const struct redis_reply *reply, void *ctx)
{
	(void)ctx;
	if (reply->is_error || reply->is_lost)
		say("bad", reply->error);
	end_if_idle();
}

static void on_changed(struct redis *r, bool is_up, const char *why, void *ctx)
{
	(void)r, (void)ctx;
	say(is_up ? "up" : "down", why);
}

static void on_hello(struct redis *r, void *ctx)
{
	struct redis_args a = REDIS_ARGS_INIT;

	(void)ctx;
	redis_arg(&a, "GET"); /* is refused while Redis loads, as FCALL is */
	redis_arg(&a, "hello");
	redis_call_first(r, &a, on_reply, x_strdup("hello"));
}

static void on_message(const char *text, void *ctx)
{
	(void)ctx;
	say("message", text);
}

/* RPUSH of "1", "2", ... or "1:xxx", ... of a size. */
static void push_many(long count, size_t size_bytes, const char *list)
{
	char *filler = x_calloc(size_bytes + 1, 1);

	memset(filler, 'x', size_bytes);
	for (long i = 1; i <= count; i++) {
		struct redis_args a = REDIS_ARGS_INIT;
		char *item = x_asprintf("%ld:%s", i, filler);

		redis_arg(&a, "RPUSH");
		redis_arg(&a, list);
		redis_arg(&a, item);
		redis_call(client, &a, REDIS_REPEAT, on_quiet, NULL);
		free(item);
	}
	free(filler);
}

/* The same as scripts that take Redis a while each, and a SET at the end. */
static void push_slowly(long count, const char *list)
{
	static const char script[] = "local n = 0 for i = 1, 20000 do n = n + i end "
				     "return redis.call('RPUSH', KEYS[1], ARGV[1] .. ':')";

	for (long i = 1; i <= count; i++) {
		struct redis_args a = REDIS_ARGS_INIT;

		redis_arg(&a, "EVAL");
		redis_arg(&a, script);
		redis_arg(&a, "1");
		redis_arg(&a, list);
		redis_arg_int(&a, i);
		redis_call(client, &a, REDIS_REPEAT, on_quiet, NULL);
	}
}

static void call_huge(size_t size_bytes)
{
	struct redis_args a = REDIS_ARGS_INIT;
	char *bytes = x_calloc(size_bytes, 1);

	redis_arg(&a, "ECHO");
	redis_arg_bytes(&a, bytes, size_bytes);
	redis_call(client, &a, REDIS_REPEAT, on_reply, x_strdup("huge"));
	free(bytes);
}

static void take(char *line)
{
	struct redis_args a = REDIS_ARGS_INIT;
	char *rest = line, *word = strsep(&rest, " ");
	enum redis_how how = !strcmp(word, "once") ? REDIS_ONCE : REDIS_REPEAT;
	char *label, *arg;

	if (!strcmp(word, "many")) {
		long count = strtol(strsep(&rest, " "), NULL, 10);

		push_many(count, 0, rest);
		return;
	}
	if (!strcmp(word, "slow")) {
		long count = strtol(strsep(&rest, " "), NULL, 10);

		push_slowly(count, rest);
		return;
	}
	if (!strcmp(word, "sized")) {
		long count = strtol(strsep(&rest, " "), NULL, 10);
		size_t size_bytes = strtoul(strsep(&rest, " "), NULL, 10);

		push_many(count, size_bytes, rest);
		return;
	}
	if (!strcmp(word, "huge")) {
		call_huge(strtoul(rest, NULL, 10));
		return;
	}
	if (!strcmp(word, "end")) {
		is_ending = true;
		end_if_idle();
		return;
	}
	label = x_strdup(rest);
	label[strcspn(label, " ")] = '\0';
	while ((arg = strsep(&rest, " ")))
		redis_arg(&a, arg);
	redis_call(client, &a, how, on_reply, label);
}

static void on_input(struct loop *l, struct loop_watch *w, unsigned what)
{
	static struct buf in = BUF_INIT(1024 * 1024);
	char chunk[4096];
	ssize_t n = read(w->fd, chunk, sizeof(chunk));
	char *end;

	(void)what;
	if (n <= 0) {
		loop_unwatch(l, w);
		return;
	}
	buf_add(&in, chunk, (size_t)n);
	while (in.len_bytes && (end = memchr(in.data, '\n', in.len_bytes))) {
		*end = '\0';
		take(in.data);
		buf_consume(&in, (size_t)(end - in.data) + 1);
	}
}

int main(int argc, char **argv)
{
	struct loop_watch input = {.ready = on_input, .fd = STDIN_FILENO, .want = LOOP_READ};
	struct redis_options o = {.changed = on_changed, .hello = on_hello};

	if (argc < 3)
		return 100;
	(void)signal(SIGPIPE, SIG_IGN);
	log_init("redis_client");
	loop = loop_new();
	o.path = argv[1];
	o.timeout_ms = strtol(argv[2], NULL, 10);
	o.user = argc > 4 ? argv[3] : NULL;
	o.password = argc > 4 ? argv[4] : NULL;
	o.channel = argc > 5 ? argv[5] : NULL;
	o.message = on_message;
	client = redis_new(loop, &o);
	if (loop_watch(loop, &input) != 0)
		return 111;
	loop_run(loop);
	redis_free(client);
	loop_free(loop);
	return 0;
}
