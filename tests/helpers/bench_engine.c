/*
 * bench_engine.c - the engine alone against a URL: what one request costs, and how calls ended.
 * Closed model (a call follows each answer on --connections connections), or open with --rate.
 * One JSON line on stdout; the integration tests read it.
 *
 *	bench_engine --requests 200000 --connections 64 http://127.0.0.1:8080/
 */
#include <inttypes.h>
#include <signal.h>
#include <sys/resource.h>

#include "common/base/exit_code.h"
#include "common/base/fsio.h"
#include "common/base/opt.h"
#include "common/engine/engine.h"

struct options {
	uint64_t requests, connections, streams, rate, keep_bytes, body_bytes;
	int64_t timeout_ms, connect_timeout_ms;
	const char *ca_file, *cert_file, *key_file, *unix_path, *sni, *method, *http;
	bool is_ramped;
};

static const struct opt rows[] = {
	{"requests", 'n', OPT_U64, offsetof(struct options, requests), "N", "1000", "calls"},
	{"connections", 'c', OPT_U64, offsetof(struct options, connections), "N", "1",
	 "connections at most"},
	{"streams", 'm', OPT_U64, offsetof(struct options, streams), "N", "1",
	 "calls of one connection at most (HTTP/2)"},
	{"http", 0, OPT_STRING, offsetof(struct options, http), "VERSION", "1.1", "1.1, 2 or auto"},
	{"rate", 'r', OPT_U64, offsetof(struct options, rate), "N", "0",
	 "calls a second whatever the answers do; 0 = the next call follows an answer"},
	{"timeout", 't', OPT_DURATION_MS, offsetof(struct options, timeout_ms), "TIME", "5s",
	 "from due to the whole answer"},
	{"connect-timeout", 0, OPT_DURATION_MS, offsetof(struct options, connect_timeout_ms),
	 "TIME", "2s", "of one connection"},
	{"keep", 0, OPT_U64, offsetof(struct options, keep_bytes), "N", "65536",
	 "bytes kept of an answer's body"},
	{"body", 0, OPT_U64, offsetof(struct options, body_bytes), "N", "0",
	 "bytes of the request's body"},
	{"method", 'X', OPT_STRING, offsetof(struct options, method), "NAME", "GET", "of requests"},
	{"ca", 0, OPT_STRING, offsetof(struct options, ca_file), "FILE", NULL, "trusted for TLS"},
	{"cert", 0, OPT_STRING, offsetof(struct options, cert_file), "FILE", NULL, "ours, for TLS"},
	{"key", 0, OPT_STRING, offsetof(struct options, key_file), "FILE", NULL, "of --cert"},
	{"unix", 0, OPT_STRING, offsetof(struct options, unix_path), "PATH", NULL,
	 "a unix socket instead of TCP"},
	{"sni", 0, OPT_STRING, offsetof(struct options, sni), "NAME", NULL,
	 "the name the certificate must carry"},
	{"ramp", 0, OPT_FLAG, offsetof(struct options, is_ramped), NULL, NULL,
	 "open all connections before the first call"},
};

static const char *const end_names[] = {
	[ENGINE_ANSWERED] = "answered", [ENGINE_TIMEOUT] = "timeout",
	[ENGINE_CONNECT] = "connect",	[ENGINE_TLS] = "tls",
	[ENGINE_DNS] = "dns",		[ENGINE_BAD_ANSWER] = "bad_answer",
	[ENGINE_ABORTED] = "aborted",	[ENGINE_NOT_SENT] = "not_sent",
};

struct bench {
	struct options o;
	struct loop *loop;
	struct engine_pool *pool;
	struct engine_call
		*calls; /* one per call in the open model, per connection in the closed */
	char host[256], path[1024];
	char *request;
	size_t request_bytes;
	struct engine_request prepared;
	uint64_t submitted, ended, by_end[ARRAY_LEN(end_names)], by_status[10], body_bytes;
	int64_t response_max_ns, service_max_ns, service_sum_ns, late_max_ns;
	const char *why;
	struct mono start;
	struct loop_timer due;
};

static int parse_url(struct bench *b, const char *url, struct engine_endpoint *ep)
{
	const char *at = strstr(url, "://"), *end;
	char *colon;

	if (!at)
		return -1;
	ep->is_tls = strncmp(url, "https", 5) == 0;
	at += 3;
	end = at + strcspn(at, "/");
	snprintf(b->host, sizeof(b->host), "%.*s", (int)(end - at), at);
	snprintf(b->path, sizeof(b->path), "%s", *end ? end : "/");
	colon = strrchr(b->host, ':');
	ep->port = (uint16_t)(colon ? strtoul(colon + 1, NULL, 10) : ep->is_tls ? 443 : 80);
	if (colon)
		*colon = '\0';
	ep->host = b->host;
	if (*b->host == '[') {
		b->host[strlen(b->host) - 1] = '\0';
		ep->host++;
	}
	ep->ca_file = b->o.ca_file;
	ep->cert_file = b->o.cert_file;
	ep->key_file = b->o.key_file;
	ep->unix_path = b->o.unix_path;
	ep->sni = b->o.sni;
	ep->allow_private = true;
	ep->protocol = strcmp(b->o.http, "2") == 0	? ENGINE_HTTP2
		       : strcmp(b->o.http, "auto") == 0 ? ENGINE_HTTP_AUTO
							: ENGINE_HTTP1;
	return 0;
}

static void make_request(struct bench *b, uint16_t port, bool is_tls)
{
	char head[2048], length[64] = "";

	if (b->o.body_bytes)
		snprintf(length, sizeof(length), "Content-Length: %" PRIu64 "\r\n",
			 b->o.body_bytes);
	snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: %s:%u\r\n%s\r\n", b->o.method,
		 b->path, b->o.sni ? b->o.sni : b->host, port, length);
	b->request_bytes = strlen(head) + b->o.body_bytes;
	b->request = x_calloc(1, b->request_bytes + 1);
	memset(b->request, 'x', b->request_bytes);
	memcpy(b->request, head, strlen(head));
	BUG_ON(engine_request_set(&b->prepared, b->request, b->request_bytes) != 0);
	BUG_ON(engine_request_add_fields(&b->prepared, is_tls) != 0);
}

static void submit(struct bench *b, struct engine_call *call, struct mono due)
{
	call->due = due;
	call->request = &b->prepared;
	b->submitted++;
	engine_submit(b->pool, call);
}

static void record(struct bench *b, const struct engine_call *call)
{
	int64_t service_ns = mono_diff_ns(call->done, call->sent);

	b->by_end[call->end]++;
	if (call->why)
		b->why = call->why;
	if (call->end != ENGINE_ANSWERED)
		return;
	b->by_status[call->response->status / 100]++;
	b->body_bytes += call->response->body_total_bytes;
	b->response_max_ns = MAX_OF(b->response_max_ns, mono_diff_ns(call->done, call->due));
	b->late_max_ns = MAX_OF(b->late_max_ns, mono_diff_ns(call->sent, call->due));
	b->service_max_ns = MAX_OF(b->service_max_ns, service_ns);
	b->service_sum_ns += service_ns;
}

static void on_done(struct engine_pool *p, struct engine_call *call, void *ctx)
{
	struct bench *b = ctx;

	(void)p;
	record(b, call);
	b->ended++;
	if (!b->o.rate && b->submitted < b->o.requests)
		submit(b, call, call->done);
	if (b->ended == b->o.requests)
		loop_stop(b->loop);
}

static struct mono due_of(const struct bench *b, uint64_t i)
{
	return mono_add_ns(b->start, (int64_t)((double)i * (double)NS_PER_S / (double)b->o.rate));
}

static void on_due(struct loop *l, struct loop_timer *t)
{
	struct bench *b = CONTAINER_OF(t, struct bench, due);
	struct mono now = mono_now();

	while (b->submitted < b->o.requests && !mono_is_before(now, due_of(b, b->submitted)))
		submit(b, &b->calls[b->submitted], due_of(b, b->submitted));
	if (b->submitted < b->o.requests)
		loop_timer_set(l, t, due_of(b, b->submitted));
}

static uint64_t calls_at_once(const struct bench *b)
{
	return b->o.connections * b->o.streams;
}

static void begin(struct bench *b)
{
	b->start = mono_now();
	b->due.run = on_due;
	if (b->o.rate)
		loop_timer_set(b->loop, &b->due, b->start);
	for (uint64_t i = 0; !b->o.rate && i < MIN_OF(calls_at_once(b), b->o.requests); i++)
		submit(b, &b->calls[i], mono_now());
}

static void on_ramped(struct engine_pool *p, uint32_t open, uint32_t failed, void *ctx)
{
	(void)p;
	fprintf(stderr, "bench_engine: %" PRIu32 " open, %" PRIu32 " failed\n", open, failed);
	begin(ctx);
}

static int64_t cpu_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * NS_PER_S +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * NS_PER_US;
}

/* getrusage would count what the shell or Python held before exec. */
static uint64_t peak_rss_kib(void)
{
	struct buf status = BUF_INIT(64 * 1024);
	uint64_t kib = 0;
	const char *at;

	if (fs_read("/proc/self/status", &status) == 0) {
		at = strstr(buf_str(&status), "VmHWM:");
		kib = at ? strtoull(at + 6, NULL, 10) : 0;
	}
	buf_release(&status);
	return kib;
}

static void print_result(const struct bench *b, int64_t cpu, int64_t wall_ns)
{
	struct engine_pool_stats s;

	engine_pool_stats(b->pool, &s);
	printf("{\"requests\":%" PRIu64, b->o.requests);
	for (size_t i = 0; i < ARRAY_LEN(end_names); i++)
		printf(",\"%s\":%" PRIu64, end_names[i], b->by_end[i]);
	for (size_t i = 1; i < 6; i++)
		printf(",\"%zuxx\":%" PRIu64, i, b->by_status[i]);
	printf(",\"connects\":%" PRIu64 ",\"connect_failures\":%" PRIu64 ",\"open\":%" PRIu32
	       ",\"body_bytes\":%" PRIu64,
	       s.connects, s.connect_failures, s.open, b->body_bytes);
	printf(",\"cpu_us_per_request\":%.2f,\"requests_per_s\":%.0f,\"peak_rss_kib\":%" PRIu64,
	       (double)cpu / 1e3 / (double)b->o.requests,
	       (double)b->o.requests * 1e9 / (double)wall_ns, peak_rss_kib());
	printf(",\"response_max_us\":%.1f,\"service_max_us\":%.1f,\"service_mean_us\":%.1f"
	       ",\"late_max_us\":%.1f,\"why\":\"%s\"}\n",
	       (double)b->response_max_ns / 1e3, (double)b->service_max_ns / 1e3,
	       (double)b->service_sum_ns / 1e3 / (double)MAX_OF(b->by_end[0], UINT64_C(1)),
	       (double)b->late_max_ns / 1e3, b->why ? b->why : "");
}

static int run(struct bench *b, const char *url)
{
	struct engine_endpoint ep = {0};
	struct engine_limits limits = {
		.in_flight = (uint32_t)calls_at_once(b),
		.connections = (uint32_t)b->o.connections,
		.streams = (uint32_t)b->o.streams,
		.timeout_ms = b->o.timeout_ms,
		.connect_timeout_ms = b->o.connect_timeout_ms,
		.body_max_bytes = (size_t)b->o.keep_bytes,
	};
	struct engine *e = engine_new(b->loop);
	char why[ENGINE_WHY_SIZE] = "not a URL";
	int64_t cpu;

	if (parse_url(b, url, &ep) || engine_pool_new(e, &ep, &limits, on_done, b, &b->pool, why)) {
		fprintf(stderr, "bench_engine: %s: %s\n", url, why);
		engine_free(e);
		return EXIT_USAGE;
	}
	make_request(b, ep.port, ep.is_tls);
	b->calls =
		x_calloc((size_t)(b->o.rate ? b->o.requests : calls_at_once(b)), sizeof(*b->calls));
	cpu = cpu_ns();
	if (b->o.is_ramped)
		engine_pool_connect(b->pool, limits.connections, NS_PER_MS / 5, on_ramped);
	else
		begin(b);
	loop_run(b->loop);
	print_result(b, cpu_ns() - cpu, mono_diff_ns(mono_now(), b->start));
	engine_pool_free(b->pool);
	engine_free(e);
	free(b->calls);
	engine_request_release(&b->prepared);
	free(b->request);
	return EXIT_FINE;
}

int main(int argc, char **argv)
{
	const struct opt_usage usage = {"bench_engine", "[options] URL", "The engine alone.\n",
					NULL};
	struct bench b = {0};
	struct opt_table table = {rows, ARRAY_LEN(rows), &b.o};
	struct buf why = BUF_INIT(1000);
	const char *rest[64];
	size_t rest_count = 0;
	int rc;

	signal(SIGPIPE, SIG_IGN);
	if (argc > 64 || opt_parse(&table, 1, argc, argv, rest, &rest_count, &why) ||
	    rest_count != 1 || !b.o.requests || !b.o.connections) {
		fprintf(stderr, "bench_engine: %s\n", buf_str(&why));
		opt_help(stderr, &usage, &table, 1);
		buf_release(&why);
		return EXIT_USAGE;
	}
	b.loop = loop_new();
	rc = run(&b, rest[0]);
	loop_free(b.loop);
	buf_release(&why);
	return rc;
}
