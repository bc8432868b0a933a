#include "common/base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"

extern char **environ;

static const char *const always_inherited[] = {"PATH",	 "HOME", "LANG",    "LC_*",  "TZ",
					       "TMPDIR", "USER", "LOGNAME", "XDG_*", "TERM"};

static bool name_matches(const char *pattern, const char *assignment)
{
	size_t len_bytes = strlen(pattern);

	if (len_bytes && pattern[len_bytes - 1] == '*')
		return !strncmp(pattern, assignment, len_bytes - 1);
	return !strncmp(pattern, assignment, len_bytes) && assignment[len_bytes] == '=';
}

static bool is_inherited(const struct proc_spec *spec, const char *assignment)
{
	for (size_t i = 0; i < ARRAY_LEN(always_inherited); i++)
		if (name_matches(always_inherited[i], assignment))
			return true;
	return spec->has_whole_env;
}

/* An array of borrowed strings; the caller frees the array. */
static const char **make_env(const struct proc_spec *spec)
{
	size_t count = 0, n = 0;
	const char **env;

	for (char **e = environ; e && *e; e++)
		count++;
	for (const char *const *e = spec->env; e && *e; e++)
		count++;
	env = x_calloc(count + 1, sizeof(*env));
	for (const char *const *e = spec->env; e && *e; e++)
		env[n++] = *e;
	for (char **e = environ; e && *e; e++)
		if (is_inherited(spec, *e))
			env[n++] = *e;
	return env;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* One standard descriptor: ours is kept (or -1), theirs goes to the child. */
static int make_end(int how, bool is_input, int *ours, int *theirs)
{
	int ends[2];

	*ours = *theirs = -1;
	if (how == PROC_NULL) {
		*theirs = open("/dev/null", O_RDWR | O_CLOEXEC);
		return *theirs < 0 ? -errno : 0;
	}
	if (how != PROC_PIPE) {
		if (how != PROC_INHERIT) {
			*theirs = fcntl(how, F_DUPFD_CLOEXEC, 3);
			return *theirs < 0 ? -errno : 0;
		}
		return 0;
	}
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	*ours = ends[is_input];
	*theirs = ends[!is_input];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) ? -errno : 0;
}

/* In the child, between fork and exec: async-signal-safe calls only. Reports errno through fd. */
NO_RETURN static void become(const struct proc_spec *spec, const char **env, const int theirs[3],
			     int report_fd)
{
	sigset_t none;
	ssize_t wrote;
	int why;

	for (int i = 0; i < 3; i++)
		if (theirs[i] >= 0 && dup2(theirs[i], i) < 0)
			goto fail;
	for (int signo = 1; signo < NSIG; signo++)
		signal(signo, SIG_DFL);
	/* What we were started with by others (a shell's 9>lock) is not marked by us. */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	if (spec->has_own_group)
		setpgid(0, 0);
	if (spec->dies_with_us)
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvpe(spec->argv[0], (char *const *)(uintptr_t)spec->argv, (char *const *)(uintptr_t)env);
fail:
	why = errno;
	wrote = write(report_fd, &why, sizeof(why));
	(void)wrote;
	_exit(127);
}

/* 0 when exec worked (the report pipe closed), else its -errno. */
static int exec_result(int report_fd)
{
	int why = 0;
	ssize_t got;

	do {
		got = read(report_fd, &why, sizeof(why));
	} while (got < 0 && errno == EINTR);
	return got == (ssize_t)sizeof(why) ? -why : 0;
}

static int start(const struct proc_spec *spec, const int theirs[3], pid_t *pid)
{
	const char **env = make_env(spec);
	int report[2], rc;

	if (pipe2(report, O_CLOEXEC)) {
		free(env);
		return -errno;
	}
	*pid = fork();
	if (*pid == 0)
		become(spec, env, theirs, report[1]);
	rc = *pid < 0 ? -errno : 0;
	close(report[1]);
	if (!rc) {
		rc = exec_result(report[0]);
		if (rc)
			waitpid(*pid, NULL, 0);
	}
	close(report[0]);
	free(env);
	return rc;
}

int proc_spawn(const struct proc_spec *spec, struct proc *out)
{
	struct proc p = {.pid = -1,
			 .pidfd = -1,
			 .in = -1,
			 .out = -1,
			 .err = -1,
			 .has_own_group = spec->has_own_group};
	const int how[3] = {spec->in, spec->out, spec->err};
	int *ours[3] = {&p.in, &p.out, &p.err};
	int theirs[3] = {-1, -1, -1}, rc = 0;

	for (int i = 0; i < 3 && !rc; i++)
		rc = make_end(how[i], i == 0, ours[i], &theirs[i]);
	if (!rc)
		rc = start(spec, theirs, &p.pid);
	for (int i = 0; i < 3; i++)
		close_fd(&theirs[i]);
	if (rc) {
		proc_release(&p);
		return rc;
	}
	p.pidfd = (int)syscall(SYS_pidfd_open, p.pid, 0);
	*out = p;
	return 0;
}

#define GIVES_WAY 10 /* nice */

int proc_fork(int (*fn)(void *ctx), void *ctx, struct proc *out)
{
	struct proc p = {.pidfd = -1, .in = -1, .out = -1, .err = -1};

	p.pid = fork();
	if (p.pid < 0)
		return -errno;
	if (p.pid == 0) {
		close_range(3, ~0U, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpriority(PRIO_PROCESS, 0, GIVES_WAY);
		_exit(fn(ctx));
	}
	p.pidfd = (int)syscall(SYS_pidfd_open, p.pid, 0);
	*out = p;
	return 0;
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int proc_reap(struct proc *p)
{
	int status;
	pid_t got = waitpid(p->pid, &status, WNOHANG);

	if (got == 0)
		return -EAGAIN;
	if (got < 0)
		return -errno;
	p->pid = -1;
	return exit_status(status);
}

int proc_wait(struct proc *p)
{
	int status;

	while (waitpid(p->pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	p->pid = -1;
	return exit_status(status);
}

void proc_kill(struct proc *p, int signo)
{
	bool is_for_all = p->has_own_group && signo == SIGKILL;

	if (p->pid > 0)
		kill(is_for_all ? -p->pid : p->pid, signo);
}

void proc_release(struct proc *p)
{
	close_fd(&p->pidfd);
	close_fd(&p->in);
	close_fd(&p->out);
	close_fd(&p->err);
}

void proc_forbid_cores(void)
{
	const struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none); /* lowering is always allowed */
}

/* The state of proc_run: three pipes and a deadline. */
struct talk {
	struct proc *p;
	const struct buf *input;
	size_t written_bytes;
	struct buf *out, *err;
};

/* One that does not read to the end must not end us. */
static void feed(struct talk *t)
{
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);
	ssize_t n = write(t->p->in, buf_str(t->input) + t->written_bytes,
			  t->input->len_bytes - t->written_bytes);
	int error = errno;

	signal(SIGPIPE, before);
	if (n > 0)
		t->written_bytes += (size_t)n;
	if ((n < 0 && error != EAGAIN && error != EINTR) || t->written_bytes == t->input->len_bytes)
		close_fd(&t->p->in);
}

static int drain(int *fd, struct buf *into)
{
	char chunk[4096];
	ssize_t n = read(*fd, chunk, sizeof(chunk));

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_fd(fd);
	if (n > 0 && into)
		buf_add(into, chunk, (size_t)n);
	return into && buf_is_over(into) ? -E2BIG : 0;
}

/* One wait of at most left_ms; 0, -ETIMEDOUT or -E2BIG. */
static int talk_once(struct talk *t, int left_ms)
{
	struct pollfd fds[3] = {
		{t->p->in, POLLOUT, 0}, {t->p->out, POLLIN, 0}, {t->p->err, POLLIN, 0}};
	int rc = 0, n = poll(fds, 3, left_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ETIMEDOUT;
	if (fds[0].revents)
		feed(t);
	if (fds[1].revents)
		rc = drain(&t->p->out, t->out);
	if (fds[2].revents && !rc)
		rc = drain(&t->p->err, t->err);
	return rc;
}

static int left_ms_until(struct mono deadline)
{
	int64_t left_ns = mono_diff_ns(deadline, mono_now());

	return left_ns <= 0 ? 0 : (int)MIN_OF(left_ns / NS_PER_MS + 1, INT64_C(60000));
}

/* Its pipes are closed; it has the rest of its time to end. */
static int wait_until(struct proc *p, struct mono deadline)
{
	struct pollfd fd = {p->pidfd, POLLIN, 0};

	while (poll(&fd, 1, left_ms_until(deadline)) == 0)
		if (!left_ms_until(deadline))
			return -ETIMEDOUT;
	return proc_wait(p);
}

int proc_run(const struct proc_spec *spec, const struct buf *input, int64_t timeout_ms,
	     struct buf *out, struct buf *err)
{
	struct mono deadline = mono_add_ns(mono_now(), timeout_ms * NS_PER_MS);
	struct proc_spec with_pipes = *spec;
	struct talk t = {.input = input, .out = out, .err = err};
	struct proc p;
	int rc;

	with_pipes.in = input ? PROC_PIPE : PROC_NULL;
	with_pipes.out = PROC_PIPE;
	with_pipes.err = err ? PROC_PIPE : spec->err;
	rc = proc_spawn(&with_pipes, &p);
	if (rc)
		return rc;
	t.p = &p;
	if (input && !input->len_bytes)
		close_fd(&p.in);
	while (!rc && (p.out >= 0 || p.err >= 0 || p.in >= 0))
		rc = talk_once(&t, left_ms_until(deadline));
	if (!rc)
		rc = wait_until(&p, deadline);
	if (rc < 0) {
		proc_kill(&p, SIGKILL);
		proc_wait(&p);
	}
	proc_release(&p);
	return rc;
}

void proc_want_descriptors(uint64_t count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= count)
		return;
	limit.rlim_cur = MIN_OF(limit.rlim_max, (rlim_t)count);
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}
