#include "common/health/health.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/health/listen.h"

#define WHY_SIZE 200
/* A scraper asks and goes: whoever is not done after this time is cut off. The library's own limit
 * is of silence, and one byte a second would get round it. */
#define CLIENT_NS (5 * NS_PER_S)
#define SILENCE_S 5u
#define CLIENTS_MAX 32u
/* From this many on a new one throws the oldest out: who asks at once is answered all the same. */
#define CLIENTS_CROWDED 24u
#define CLIENT_BYTES ((size_t)8 * 1024)
#define PAGE_MAX_BYTES ((size_t)4 * 1024 * 1024)

struct client { /* in the order they came; the library's socket context */
	struct client *next, *previous;
	int fd;
	struct mono until;
	bool is_cut;
};

struct health {
	struct loop *loop;
	struct MHD_Daemon *daemon;
	struct health_owner owner;
	struct loop_watch watch;
	struct loop_timer due;	/* what the library wants to be woken for */
	struct loop_timer late; /* the oldest client's end */
	struct client *oldest, *newest;
	size_t client_count;
	char *path; /* socket file of ours, or NULL */
};

/* Clients. */

static void cut(struct client *c)
{
	c->is_cut = true;
	shutdown(c->fd, SHUT_RDWR); /* the library sees the end of it and closes */
}

static void cut_late(struct loop *l, struct loop_timer *t)
{
	struct health *h = CONTAINER_OF(t, struct health, late);
	struct mono now = mono_now();

	for (struct client *c = h->oldest; c != NULL; c = c->next) {
		if (mono_is_before(now, c->until)) {
			loop_timer_set(l, t, c->until);
			return;
		}
		if (!c->is_cut)
			cut(c);
	}
}

static void cut_oldest(struct health *h)
{
	for (struct client *c = h->oldest; c != NULL; c = c->next) {
		if (!c->is_cut) {
			cut(c);
			return;
		}
	}
}

static void client_came(struct health *h, struct MHD_Connection *conn, void **context)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct client *c = x_calloc(1, sizeof(*c));

	c->fd = info->connect_fd;
	c->until = mono_add_ns(mono_now(), CLIENT_NS);
	c->previous = h->newest;
	if (h->newest != NULL)
		h->newest->next = c;
	else
		h->oldest = c;
	h->newest = c;
	*context = c;
	if (++h->client_count >= CLIENTS_CROWDED)
		cut_oldest(h);
	if (!loop_timer_is_set(&h->late))
		loop_timer_set(h->loop, &h->late, c->until);
}

static void client_went(struct health *h, void **context)
{
	struct client *c = *context;

	*(c->previous != NULL ? &c->previous->next : &h->oldest) = c->next;
	*(c->next != NULL ? &c->next->previous : &h->newest) = c->previous;
	h->client_count--;
	free(c);
	*context = NULL;
}

static void on_client(void *ctx, struct MHD_Connection *conn, void **context,
		      enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		client_came(ctx, conn, context);
	else
		client_went(ctx, context);
}

/* Pages. */

static void page_metrics(struct health *h, struct buf *out, unsigned *status)
{
	(void)status;
	h->owner.metrics(out, h->owner.ctx);
}

static void page_healthz(struct health *h, struct buf *out, unsigned *status)
{
	char why[WHY_SIZE] = "";

	if (h->owner.is_well(why, h->owner.ctx)) {
		buf_adds(out, "ok\n");
		return;
	}
	*status = MHD_HTTP_SERVICE_UNAVAILABLE;
	buf_addf(out, "%s\n", why);
}

static const struct page {
	const char *path, *type;
	void (*write)(struct health *h, struct buf *out, unsigned *status);
} pages[] = {
	{"/metrics", "text/plain; version=0.0.4; charset=utf-8", page_metrics},
	{"/healthz", "text/plain; charset=utf-8", page_healthz},
};

static const struct page *find_page(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (strcmp(pages[i].path, path) == 0)
			return &pages[i];
	}
	return NULL;
}

static unsigned write_page(struct health *h, const char *path, const char *method, struct buf *out,
			   const char **type)
{
	const struct page *page = find_page(path);
	unsigned status = MHD_HTTP_OK;

	*type = "text/plain; charset=utf-8";
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		buf_adds(out, "only GET and HEAD\n");
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	}
	if (page == NULL) {
		buf_adds(out, "there are /metrics and /healthz\n");
		return MHD_HTTP_NOT_FOUND;
	}
	*type = page->type;
	page->write(h, out, &status);
	if (!buf_is_over(out))
		return status;
	buf_clear(out);
	buf_adds(out, "the page is too long\n");
	return MHD_HTTP_INTERNAL_SERVER_ERROR;
}

static enum MHD_Result add_headers(struct MHD_Response *r, unsigned status, const char *type)
{
	enum MHD_Result ok = MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);

	if (ok == MHD_YES)
		ok = MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
	if (ok == MHD_YES && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		ok = MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	return ok;
}

/* Answers as soon as the head is there; a body is never read. MHD_NO closes the connection. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *conn, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_bytes, void **request)
{
	struct buf out = BUF_INIT(PAGE_MAX_BYTES);
	struct MHD_Response *response;
	enum MHD_Result ok = MHD_NO;
	const char *type;
	unsigned status;
	size_t len_bytes;

	(void)version, (void)upload, (void)request;
	if (*upload_bytes > 0)
		return MHD_NO;
	status = write_page(ctx, url, method, &out, &type);
	len_bytes = out.len_bytes;
	response =
		MHD_create_response_from_buffer(len_bytes, buf_steal(&out), MHD_RESPMEM_MUST_FREE);
	if (response == NULL)
		return MHD_NO;
	if (add_headers(response, status, type) == MHD_YES)
		ok = MHD_queue_response(conn, status, response);
	MHD_destroy_response(response);
	return ok;
}

/* The library in our loop. */

static void turn(struct health *h)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	MHD_run(h->daemon);
	if (MHD_get_timeout(h->daemon, &wait_ms) == MHD_YES)
		loop_timer_set_in(h->loop, &h->due, (int64_t)wait_ms * NS_PER_MS);
	else
		loop_timer_clear(h->loop, &h->due);
}

static void on_ready(struct loop *l, struct loop_watch *w, unsigned what)
{
	(void)l, (void)what;
	turn(CONTAINER_OF(w, struct health, watch));
}

static void on_due(struct loop *l, struct loop_timer *t)
{
	(void)l;
	turn(CONTAINER_OF(t, struct health, due));
}

static int start_daemon(struct health *h, int fd, char *why)
{
	const union MHD_DaemonInfo *info;

	h->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, h,
				     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				     CLIENTS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CLIENT_BYTES,
				     MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_S,
				     MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION,
				     on_client, h, MHD_OPTION_END);
	if (h->daemon == NULL) {
		snprintf(why, WHY_SIZE, "libmicrohttpd does not start");
		close(fd);
		return -EIO;
	}
	info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	h->watch = (struct loop_watch){.ready = on_ready, .fd = info->epoll_fd, .want = LOOP_READ};
	return loop_watch(h->loop, &h->watch);
}

int health_open(struct loop *l, const char *where, const struct health_owner *owner,
		struct health **out, char why[200])
{
	char *path;
	int rc, fd = listen_open(where, &path, why);
	struct health *h;

	if (fd < 0)
		return fd;
	h = x_calloc(1, sizeof(*h));
	h->loop = l;
	h->owner = *owner;
	h->path = path;
	h->due.run = on_due;
	h->late.run = cut_late;
	rc = start_daemon(h, fd, why);
	if (rc) {
		health_free(h);
		return rc;
	}
	*out = h;
	return 0;
}

void health_free(struct health *h)
{
	if (h == NULL)
		return;
	loop_unwatch(h->loop, &h->watch);
	loop_timer_clear(h->loop, &h->due);
	if (h->daemon != NULL)
		MHD_stop_daemon(h->daemon); /* closes the socket and tells every client's end */
	loop_timer_clear(h->loop, &h->late);
	if (h->path != NULL)
		unlink(h->path);
	free(h->path);
	free(h);
}
