/* async.c - a transfer in our loop: curl says what to wait for, the loop says when it is there. */
#include <errno.h>

#include "common/http/own.h"

#define SOCKETS_MAX 8 /* one connection, the race for an address, the resolver's */

struct http_async {
	struct http *http;
	struct loop *loop;
	CURLM *multi;
	struct loop_timer timer;
	struct socket_watch {
		struct loop_watch watch;
		struct http_async *async;
		bool is_used;
	} sockets[SOCKETS_MAX];
	bool is_busy, is_begun; /* is_begun: curl has it */
	int failed;		/* could not be begun */
	http_done_fn *done;
	void *ctx;
};

static void finish(struct http_async *a, int rc)
{
	a->is_busy = false;
	a->done(rc, a->ctx);
}

static void look_for_end(struct http_async *a)
{
	struct CURLMsg *message;
	int left;

	while (a->is_begun && (message = curl_multi_info_read(a->multi, &left))) {
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_multi_remove_handle(a->multi, a->http->easy);
		a->is_begun = false;
		finish(a, http_complete(a->http, code));
		return;
	}
}

static void act(struct http_async *a, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(a->multi, fd, what, &running);
	look_for_end(a);
}

static void on_timer(struct loop *l, struct loop_timer *t)
{
	struct http_async *a = CONTAINER_OF(t, struct http_async, timer);

	(void)l;
	if (a->failed) {
		int rc = a->failed;

		a->failed = 0;
		finish(a, rc);
		return;
	}
	act(a, CURL_SOCKET_TIMEOUT, 0);
}

static void on_ready(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct socket_watch *s = CONTAINER_OF(w, struct socket_watch, watch);
	int bits = 0;

	(void)l;
	if (what & (LOOP_READ | LOOP_HANGUP))
		bits |= CURL_CSELECT_IN;
	if (what & LOOP_WRITE)
		bits |= CURL_CSELECT_OUT;
	act(s->async, w->fd, bits);
}

/* What curl wants to be told of the time. */
static int set_timer(CURLM *multi, long in_ms, void *ctx)
{
	struct http_async *a = ctx;

	(void)multi;
	if (in_ms < 0)
		loop_timer_clear(a->loop, &a->timer);
	else
		loop_timer_set_in(a->loop, &a->timer, in_ms * NS_PER_MS);
	return 0;
}

static struct socket_watch *socket_of(struct http_async *a, curl_socket_t fd)
{
	struct socket_watch *free_one = NULL;

	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		struct socket_watch *s = &a->sockets[i];

		if (s->is_used && s->watch.fd == fd)
			return s;
		if (!s->is_used && !free_one)
			free_one = s;
	}
	BUG_ON(!free_one);
	return free_one;
}

static unsigned wants_of(int what)
{
	return (what != CURL_POLL_OUT ? LOOP_READ : 0u) | (what != CURL_POLL_IN ? LOOP_WRITE : 0u);
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *of_socket)
{
	struct http_async *a = ctx;
	struct socket_watch *s = socket_of(a, fd);

	(void)easy, (void)of_socket;
	if (what == CURL_POLL_REMOVE) {
		loop_unwatch(a->loop, &s->watch);
		s->is_used = false;
	} else if (s->is_used) {
		loop_want(a->loop, &s->watch, wants_of(what));
	} else {
		s->async = a;
		s->is_used = true;
		s->watch = (struct loop_watch){.ready = on_ready, .fd = fd, .want = wants_of(what)};
		BUG_ON(loop_watch(a->loop, &s->watch) != 0);
	}
	return 0;
}

static struct http_async *async_new(struct http *h, struct loop *l)
{
	struct http_async *a = x_calloc(1, sizeof(*a));

	a->http = h;
	a->loop = l;
	a->timer.run = on_timer;
	a->multi = curl_multi_init();
	BUG_ON(!a->multi);
	curl_multi_setopt(a->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(a->multi, CURLMOPT_TIMERDATA, a);
	curl_multi_setopt(a->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(a->multi, CURLMOPT_SOCKETDATA, a);
	return a;
}

void http_start(struct http *h, struct loop *l, const struct http_request *request,
		struct http_response *out, http_done_fn *done, void *ctx)
{
	struct http_async *a = h->async ? h->async : async_new(h, l);

	h->async = a;
	BUG_ON(a->is_busy);
	a->is_busy = true;
	a->done = done;
	a->ctx = ctx;
	a->failed = http_begin(h, request, out);
	if (a->failed) {
		loop_timer_set_in(l, &a->timer, 0);
		return;
	}
	a->is_begun = true;
	BUG_ON(curl_multi_add_handle(a->multi, h->easy) != CURLM_OK);
}

bool http_is_busy(const struct http *h)
{
	return h->async && h->async->is_busy;
}

void http_async_free(struct http_async *a)
{
	if (!a)
		return;
	if (a->is_begun) {
		curl_multi_remove_handle(a->multi, a->http->easy);
		(void)http_complete(a->http, CURLE_ABORTED_BY_CALLBACK);
	}
	curl_multi_cleanup(a->multi);
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		loop_unwatch(a->loop, &a->sockets[i].watch);
	loop_timer_clear(a->loop, &a->timer);
	free(a);
}
