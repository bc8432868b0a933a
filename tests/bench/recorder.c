/*
 * recorder - an HTTP/1.1 target that answers at once and knows what it saw.
 *
 *	recorder [--port N] [--stamps FILE] [--stall-at 4s --stall 1s]
 *	recorder --answers FILE --late-every 100 --late 80ms
 *	recorder --answers FILE --slower 20
 *
 * Prints its port. At SIGTERM one JSON line: requests, the most connections that were open, when
 * the first and the last request came (CLOCK_REALTIME, ns), and when its stall began and ended.
 * FILE gets 8 bytes a request (ns, this machine's byte order), in the order they were read: the
 * kernel's own stamp of the packet, so that being busy ourselves does not move it.
 *
 * The stall: from stall-at after the first request it does nothing at all for that long; what is
 * sent meanwhile waits in the kernel, as before a program that collects its garbage.
 *
 * --late: each so many-th request is answered that much later. --slower: request i is answered i
 * times that later. --answers gets 8 bytes a request too, in the same order: when its answer was
 * handed to the kernel.
 *
 * For clients without pipelining and requests without a body: a read that ends in an empty line is
 * a request.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "common/base/bug.h"
#include "common/base/clock.h"
#include "common/base/exit_code.h"
#include "common/base/opt.h"

#define EVENTS_AT_ONCE 512
#define STAMPS_MAX ((size_t)8 * 1000 * 1000)

/* With the headers that nginx sends; the date is made once a second. */
static char answer[256];
static size_t answer_bytes;

struct options {
	uint64_t port;
	int64_t stall_at_ms, stall_ms;
	const char *stamps, *answers, *slower;
	uint64_t late_every;
	int64_t late_ms;
};

static const struct opt rows[] = {
	{"port", 'p', OPT_U64, offsetof(struct options, port), "N", "0", "0: a free one"},
	{"stamps", 's', OPT_STRING, offsetof(struct options, stamps), "FILE", NULL,
	 "gets the time of each request"},
	{"stall-at", 0, OPT_DURATION_MS, offsetof(struct options, stall_at_ms), "TIME", "0s",
	 "after the first request"},
	{"stall", 0, OPT_DURATION_MS, offsetof(struct options, stall_ms), "TIME", "0s",
	 "for how long"},
	{"answers", 0, OPT_STRING, offsetof(struct options, answers), "FILE", NULL,
	 "gets the time of each answer"},
	{"late-every", 0, OPT_U64, offsetof(struct options, late_every), "N", "0",
	 "each N-th answer comes late"},
	{"late", 0, OPT_DURATION_MS, offsetof(struct options, late_ms), "TIME", "0s",
	 "by how much"},
	{"slower", 0, OPT_STRING, offsetof(struct options, slower), "US", "0",
	 "answer i comes i times so many microseconds late"},
};

static struct options o;
static int epoll_fd, listen_fd, signal_fd;
static uint64_t requests, open_now, open_peak;
static int64_t *stamps, *answers;
/* Answers that wait, in the order they go out: later requests never go earlier. */
static struct waiting {
	int fd;
	uint64_t index;
	int64_t at_ns;
} queue[65536];
static uint64_t queue_first, queue_end;
static int64_t slower_ns;
static int64_t first_ns, last_ns, stall_from_ns, stall_to_ns;

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(EXIT_AGAIN);
}

static void watch(int fd)
{
	struct epoll_event ev = {EPOLLIN, {.fd = fd}};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
		die("recorder: epoll_ctl");
}

static void open_all(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o.port)};
	socklen_t len = sizeof(at);
	sigset_t term;
	int on = 1;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	signal_fd = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK);
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (epoll_fd < 0 || signal_fd < 0 || listen_fd < 0)
		die("recorder");
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Inherited by every connection. */
	setsockopt(listen_fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	setsockopt(listen_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(listen_fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(listen_fd, 4096) ||
	    getsockname(listen_fd, (struct sockaddr *)&at, &len) != 0)
		die("recorder: listen");
	watch(listen_fd);
	watch(signal_fd);
	printf("%u\n", ntohs(at.sin_port));
	fflush(stdout);
}

static void date_answer(void)
{
	time_t now = (time_t)wall_s(wall_now());
	char date[40];
	struct tm tm;

	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	answer_bytes = (size_t)snprintf(answer, sizeof(answer),
					"HTTP/1.1 200 OK\r\nServer: recorder/1.0\r\nDate: %s\r\n"
					"Content-Type: text/plain\r\nContent-Length: 3\r\n"
					"Connection: keep-alive\r\n\r\nok\n",
					date);
}

static void accept_all(void)
{
	int fd;

	while ((fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		watch(fd);
		open_now++;
		open_peak = MAX_OF(open_peak, open_now);
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		die("recorder: accept");
}

/* The kernel's stamp of what was just read; our own clock when there is none. */
static int64_t stamp_of(struct msghdr *m)
{
	struct timespec at;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&at, CMSG_DATA(c), sizeof(at));
			return at.tv_sec * NS_PER_S + at.tv_nsec;
		}
	return wall_now().ns;
}

static void stall(void)
{
	int64_t from_ns = first_ns + o.stall_at_ms * NS_PER_MS;
	struct timespec until;

	if (!o.stall_ms || stall_from_ns || !first_ns || wall_now().ns < from_ns)
		return;
	stall_from_ns = wall_now().ns;
	stall_to_ns = from_ns + o.stall_ms * NS_PER_MS;
	until = (struct timespec){stall_to_ns / NS_PER_S, stall_to_ns % NS_PER_S};
	clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
}

static void note(int64_t ns)
{
	if (ns / NS_PER_S != last_ns / NS_PER_S)
		date_answer();
	if (!first_ns)
		first_ns = ns;
	last_ns = ns;
	if (stamps && requests < STAMPS_MAX)
		stamps[requests] = ns;
	requests++;
}

static void send_answer(int fd, uint64_t index)
{
	if (fd < 0)
		return;
	if (answers && index < STAMPS_MAX)
		answers[index] = wall_now().ns;
	if (send(fd, answer, answer_bytes, MSG_NOSIGNAL) < 0 && errno != EPIPE &&
	    errno != ECONNRESET && errno != EBADF)
		die("recorder: send");
}

static void answer_later(int fd, uint64_t index, int64_t came_ns)
{
	int64_t delay_ns = slower_ns * (int64_t)index;

	if (o.late_every && index % o.late_every == o.late_every - 1)
		delay_ns += o.late_ms * NS_PER_MS;
	if (!delay_ns) {
		send_answer(fd, index);
		return;
	}
	if (queue_end - queue_first == ARRAY_LEN(queue))
		die("recorder: too many answers wait");
	queue[queue_end++ % ARRAY_LEN(queue)] = (struct waiting){fd, index, came_ns + delay_ns};
}

static void send_waiting(void)
{
	while (queue_first < queue_end) {
		const struct waiting *w = &queue[queue_first % ARRAY_LEN(queue)];

		if (wall_now().ns < w->at_ns)
			return;
		send_answer(w->fd, w->index);
		queue_first++;
	}
}

/* Its number may soon be another connection's. */
static void forget_waiting(int fd)
{
	for (uint64_t i = queue_first; i < queue_end; i++)
		if (queue[i % ARRAY_LEN(queue)].fd == fd)
			queue[i % ARRAY_LEN(queue)].fd = -1;
}

/* Until the next answer that waits; with a stall ahead at most 1 ms. */
static int wait_for_events(struct epoll_event *events)
{
	int64_t ns = o.stall_ms ? NS_PER_MS : -1;
	struct timespec until;

	if (queue_first < queue_end)
		ns = MAX_OF(queue[queue_first % ARRAY_LEN(queue)].at_ns - wall_now().ns, 0);
	until = (struct timespec){ns / NS_PER_S, ns % NS_PER_S};
	return epoll_pwait2(epoll_fd, events, EVENTS_AT_ONCE, ns < 0 ? NULL : &until, NULL);
}

static void serve(int fd)
{
	char data[4096], control[128];
	struct iovec bytes = {data, sizeof(data)};
	struct msghdr m = {.msg_iov = &bytes,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &m, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		forget_waiting(fd);
		close(fd);
		open_now--;
		return;
	}
	if (n < 4 || memcmp(data + n - 4, "\r\n\r\n", 4) != 0)
		return;
	note(stamp_of(&m));
	answer_later(fd, requests - 1, last_ns);
}

static void write_times(const char *path, const int64_t *times)
{
	FILE *f = path ? fopen(path, "we") : NULL;
	size_t kept = (size_t)MIN_OF(requests, (uint64_t)STAMPS_MAX);

	if (path && (!f || fwrite(times, 8, kept, f) != kept || fclose(f) != 0))
		die("recorder: times");
}

static void report(void)
{
	write_times(o.stamps, stamps);
	write_times(o.answers, answers);
	printf("{\"requests\":%" PRIu64 ",\"open_peak\":%" PRIu64 ",\"open\":%" PRIu64
	       ",\"first_ns\":%" PRId64 ",\"last_ns\":%" PRId64 ",\"stall_from_ns\":%" PRId64
	       ",\"stall_to_ns\":%" PRId64 "}\n",
	       requests, open_peak, open_now, first_ns, last_ns, stall_from_ns, stall_to_ns);
}

static void run(void)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n;

	for (;;) {
		n = wait_for_events(events);
		send_waiting();
		stall();
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listen_fd)
				accept_all();
			else if (events[i].data.fd == signal_fd)
				return;
			else
				serve(events[i].data.fd);
		}
	}
}

int main(int argc, char **argv)
{
	const struct opt_usage usage = {"recorder", "[options]", "", NULL};
	struct opt_table table = {rows, ARRAY_LEN(rows), &o};
	struct buf why = BUF_INIT(1000);
	const char *rest[64];
	size_t count = 0;

	if (argc > 64 || opt_parse(&table, 1, argc, argv, rest, &count, &why) || count > 0 ||
	    o.port > UINT16_MAX) {
		fprintf(stderr, "recorder: %s\n", buf_str(&why));
		opt_help(stderr, &usage, &table, 1);
		return EXIT_USAGE;
	}
	if (o.stamps)
		stamps = x_calloc(STAMPS_MAX, sizeof(*stamps));
	if (o.answers)
		answers = x_calloc(STAMPS_MAX, sizeof(*answers));
	slower_ns = (int64_t)(strtod(o.slower, NULL) * 1e3);
	open_all();
	run();
	report();
	return EXIT_FINE;
}
