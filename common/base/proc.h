/*
 * proc.h - children without a shell, with an environment that carries no secret (rank 0).
 *
 * A child starts with default signals, an empty signal mask, only descriptors 0 to 2, and an
 * environment of the names in a short allow-list (PATH HOME LANG LC_* TZ TMPDIR USER LOGNAME TERM
 * and XDG_*) plus what the caller adds; credentials of ours are not among them.
 *
 *	const char *argv[] = {"jq", ".", NULL};
 *	struct proc_spec spec = {.argv = argv, .out = PROC_PIPE};
 *	rc = proc_spawn(&spec, &child);
 */
#ifndef PLIMSOLL_BASE_PROC_H
#define PLIMSOLL_BASE_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/buf.h"

enum { PROC_INHERIT = 0, PROC_PIPE = -1, PROC_NULL = -2 }; /* or a descriptor above 0 */

struct proc_spec {
	const char *const *argv; /* argv[0] is looked up in PATH when it has no slash */
	const char *const *env;	 /* extra NAME=value, NULL-terminated; NULL = none */
	bool has_whole_env;	 /* our environment as it is (stages started by the front door) */
	bool has_own_group;	 /* the terminal's Ctrl-C does not reach it */
	bool dies_with_us;	 /* SIGTERM when our process ends, however it ends */
	int in, out, err;	 /* PROC_* or a descriptor */
};

struct proc {
	pid_t pid;
	int pidfd;	  /* readable when it has ended; watch it with LOOP_READ */
	int in, out, err; /* our ends of PROC_PIPE, -1 otherwise; O_CLOEXEC, non-blocking */
	bool has_own_group;
};

#define PROC_ALL_DESCRIPTORS UINT64_MAX
/* Lifts our own soft limit of open files to this many, as far as the hard one allows; children
 * inherit it. Never lowers it. */
void proc_want_descriptors(uint64_t count);

/* -errno; -ENOENT when the program is not found (told apart from its own exit 127). */
MUST_CHECK int proc_spawn(const struct proc_spec *spec, struct proc *out);
/* Reaps. Exit code, or 128 + signal for a child that was killed. -EAGAIN while it runs. */
MUST_CHECK int proc_reap(struct proc *p);
int proc_wait(struct proc *p); /* blocks; same result */
/* SIGKILL reaches all of a child's own group, what it started too; other signals only the child. */
void proc_kill(struct proc *p, int signo);
void proc_release(struct proc *p); /* closes our ends; does not kill */

/*
 * A copy of ourselves that computes fn(ctx) on its own, with the memory as it is now and only
 * descriptors 0 to 2, and ends with its result as exit code (0 to 99); it gives way to whoever
 * wants the processor and is killed when we end. To be reaped as a spawned one. fn must not look at
 * what other threads of ours write.
 */
MUST_CHECK int proc_fork(int (*fn)(void *ctx), void *ctx, struct proc *out);

/* No core files of this process and its children: they would hold credentials. */
void proc_forbid_cores(void);

/*
 * Runs to the end with a deadline and collects its output: for short helpers. Input may be NULL.
 * Exit code as proc_reap; -ETIMEDOUT after killing it; -E2BIG when out or err is full (killed).
 */
MUST_CHECK int proc_run(const struct proc_spec *spec, const struct buf *input, int64_t timeout_ms,
			struct buf *out, struct buf *err);

#endif
