/*
 * session.c - see session.h.
 */
#include "cmd/loader/session.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/digest/digest.h"

#define OUT_MAX_BYTES (64u * 1024u)
#define ERR_MAX_BYTES (16u * 1024u)
#define RETRY_NS_MIN NS_PER_S

static void fetch(struct session *s);

char *session_program(const char *option)
{
	char self[PATH_MAX];
	ssize_t n;
	char *beside, *slash;

	if (option)
		return x_strdup(option);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash) {
			beside = x_asprintf("%.*s/plimsoll", (int)(slash - self), self);
			if (access(beside, X_OK) == 0)
				return beside;
			free(beside);
		}
	}
	return x_strdup("plimsoll");
}

static void wipe(struct buf *b)
{
	if (b->data)
		digest_wipe(b->data, b->cap_bytes);
	buf_release(b);
}

/* ---- what the helper said ---- */

/* The last line of its talk; of a log line only the message. */
static void last_words(const struct buf *err, char out[SESSION_WHY_SIZE])
{
	const char *text = buf_str(err), *msg;
	size_t end = err->len_bytes, start;

	while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == '"'))
		end--;
	for (start = end; start > 0 && text[start - 1] != '\n'; start--)
		;
	msg = memmem(text + start, end - start, "msg=\"", 5);
	if (msg)
		start = (size_t)(msg + 5 - text);
	snprintf(out, SESSION_WHY_SIZE, "%.*s", (int)MIN_OF(end - start, SESSION_WHY_SIZE - 1),
		 text + start);
}

static bool is_same(const struct aws_creds *a, const struct aws_creds *b)
{
	const char *x = a->session_token ? a->session_token : "";
	const char *y = b->session_token ? b->session_token : "";

	return a->access_key_id && strcmp(a->access_key_id, b->access_key_id) == 0 &&
	       strcmp(x, y) == 0;
}

/* Two thirds of the life from now, for keys that expire. */
static void arm_renewal(struct session *s)
{
	int64_t left_ns = wall_diff_ns(s->creds.expires, wall_now());

	if (s->creds.has_expiry)
		loop_timer_set_in(s->loop, &s->timer, MAX_OF(left_ns / 3 * 2, RETRY_NS_MIN));
}

static void take_keys(struct session *s, struct aws_creds *fresh)
{
	bool is_new = s->generation == 0 || !is_same(&s->creds, fresh);

	aws_creds_move(&s->creds, fresh);
	arm_renewal(s);
	if (!is_new)
		return;
	s->generation++;
	s->changed(s, SESSION_FRESH, s->ctx);
}

static void take_failure(struct session *s)
{
	int64_t left_ns = wall_diff_ns(s->creds.expires, wall_now());

	if (s->generation == 0) {
		s->changed(s, SESSION_NO_KEYS, s->ctx);
	} else if (left_ns <= 0) {
		s->changed(s, SESSION_RAN_OUT, s->ctx);
	} else {
		log_warn("cannot renew the credentials of %s for run %s: %s; trying again",
			 s->how.account, s->how.run, s->failure);
		loop_timer_set_in(s->loop, &s->timer, MAX_OF(left_ns / 4, RETRY_NS_MIN / 2));
	}
}

static void conclude(struct session *s, int code)
{
	struct aws_creds fresh = {0};
	char why[160];
	int rc = -EINVAL;

	if (code == 0) {
		rc = aws_creds_parse_process(buf_str(&s->out), s->out.len_bytes, &fresh, why);
		if (rc != 0)
			snprintf(s->failure, sizeof(s->failure),
				 "%s credential gave no credentials: %s", s->how.program, why);
	} else {
		last_words(&s->err, s->failure);
		if (!s->failure[0])
			snprintf(s->failure, sizeof(s->failure), "%s credential ended with %d",
				 s->how.program, code);
	}
	wipe(&s->out);
	buf_release(&s->err);
	if (rc == 0)
		take_keys(s, &fresh);
	else
		take_failure(s);
	aws_creds_release(&fresh);
}

/* ---- the child ---- */

static void end_child(struct session *s)
{
	loop_unwatch(s->loop, &s->out_watch);
	loop_unwatch(s->loop, &s->err_watch);
	loop_unwatch(s->loop, &s->exit_watch);
	loop_timer_clear(s->loop, &s->timer);
	proc_release(&s->child);
	s->is_running = false;
}

/* True at the end of the pipe. */
static bool drain_pipe(int fd, struct buf *into)
{
	char bytes[4096];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		buf_add(into, bytes, (size_t)n);
	n = n < 0 && (errno == EAGAIN || errno == EINTR) ? 1 : 0;
	digest_wipe(bytes, sizeof(bytes));
	return n == 0;
}

static void on_out(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct session *s = CONTAINER_OF(w, struct session, out_watch);

	(void)what;
	if (drain_pipe(w->fd, &s->out))
		loop_unwatch(l, w);
}

static void on_err(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct session *s = CONTAINER_OF(w, struct session, err_watch);

	(void)what;
	if (drain_pipe(w->fd, &s->err))
		loop_unwatch(l, w);
}

static void on_exit_of_child(struct loop *l, struct loop_watch *w, unsigned what)
{
	struct session *s = CONTAINER_OF(w, struct session, exit_watch);
	int code = proc_reap(&s->child);

	(void)l;
	(void)what;
	if (code == -EAGAIN)
		return;
	(void)drain_pipe(s->child.out, &s->out);
	(void)drain_pipe(s->child.err, &s->err);
	end_child(s);
	conclude(s, code);
}

static void on_timer(struct loop *l, struct loop_timer *t)
{
	struct session *s = CONTAINER_OF(t, struct session, timer);

	(void)l;
	if (!s->is_running) {
		fetch(s);
		return;
	}
	proc_kill(&s->child, SIGKILL);
	(void)proc_wait(&s->child);
	end_child(s);
	buf_clear(&s->err);
	buf_addf(&s->err, "%s credential did not end within %d s", s->how.program,
		 SESSION_HELPER_MS / 1000);
	conclude(s, 128 + SIGKILL);
}

static int spawn(struct session *s)
{
	const char *argv[12] = {s->how.program, "credential",  s->how.account,	 "--run",
				s->how.run,	"--functions", s->how.functions, NULL};
	size_t n = 7;
	struct proc_spec spec = {
		.argv = argv,
		/* Where keys come from is the helper's business; it needs what we were given. */
		.has_whole_env = true,
		.in = PROC_NULL,
		.out = PROC_PIPE,
		.err = PROC_PIPE,
	};

	if (s->how.config) {
		argv[n++] = "--config";
		argv[n++] = s->how.config;
	}
	if (s->how.state) {
		argv[n++] = "--state";
		argv[n++] = s->how.state;
	}
	return proc_spawn(&spec, &s->child);
}

static int watch(struct session *s)
{
	s->out_watch = (struct loop_watch){.ready = on_out, .fd = s->child.out, .want = LOOP_READ};
	s->err_watch = (struct loop_watch){.ready = on_err, .fd = s->child.err, .want = LOOP_READ};
	s->exit_watch = (struct loop_watch){
		.ready = on_exit_of_child, .fd = s->child.pidfd, .want = LOOP_READ};
	if (loop_watch(s->loop, &s->out_watch) != 0 || loop_watch(s->loop, &s->err_watch) != 0)
		return -EIO;
	return loop_watch(s->loop, &s->exit_watch);
}

static void fetch(struct session *s)
{
	int rc;

	buf_init(&s->out, OUT_MAX_BYTES);
	buf_init(&s->err, ERR_MAX_BYTES);
	rc = spawn(s);
	if (rc == 0) {
		s->is_running = true;
		loop_timer_set_in(s->loop, &s->timer, SESSION_HELPER_MS * NS_PER_MS);
		rc = watch(s);
		BUG_ON(rc != 0); /* epoll takes pipes and pidfds */
		return;
	}
	snprintf(s->failure, sizeof(s->failure), "cannot run %s credential: %s", s->how.program,
		 strerror(-rc));
	take_failure(s);
}

/* The first fetch too runs from the loop, so that changed() never comes out of session_start. */
void session_start(struct session *s, struct loop *l, const struct session_how *how,
		   session_changed_fn *changed, void *ctx)
{
	memset(s, 0, sizeof(*s));
	s->loop = l;
	s->how = *how;
	s->changed = changed;
	s->ctx = ctx;
	s->timer.run = on_timer;
	loop_timer_set_in(l, &s->timer, 0);
}

void session_stop(struct session *s)
{
	if (!s->loop)
		return;
	loop_timer_clear(s->loop, &s->timer);
	if (s->is_running) {
		proc_kill(&s->child, SIGKILL);
		(void)proc_wait(&s->child);
		end_child(s);
	}
	wipe(&s->out);
	buf_release(&s->err);
	aws_creds_release(&s->creds);
	memset(s, 0, sizeof(*s));
}
