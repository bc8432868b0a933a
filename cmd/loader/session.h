/*
 * session.h - the credentials of one run, fetched and renewed by a child process.
 *
 * The loader never reads a key file itself: it runs `plimsoll credential <account> --run ID
 * --functions F` at the start and again before a third of the life is left, without stopping the
 * loop, and swaps between two requests. What it replaces it wipes. When a renewal fails the old
 * keys are used until they run out.
 *
 *	session_start(&s, loop, &how, changed, ctx);	// changed() comes later, maybe often
 *	session_stop(&s);
 *
 * DIAGNOSTICS
 *	failure holds the helper's own message (what to do about it), never a secret.
 */
#ifndef PLIMSOLL_LOADER_SESSION_H
#define PLIMSOLL_LOADER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/aws/creds.h"
#include "common/base/loop.h"
#include "common/base/proc.h"

#define SESSION_WHY_SIZE 800
#define SESSION_HELPER_MS 60000

struct session_how {	     /* borrowed for the session's life */
	const char *program; /* "plimsoll", with or without a path */
	const char *account, *run, *functions;
	const char *config, *state; /* NULL = none */
};

enum session_news {
	SESSION_FRESH,	 /* first keys, or new ones */
	SESSION_NO_KEYS, /* the first fetch failed */
	SESSION_RAN_OUT, /* the keys have expired and no new ones could be had */
};

struct session;
typedef void session_changed_fn(struct session *s, enum session_news news, void *ctx);

struct session {
	struct loop *loop;
	struct session_how how;
	session_changed_fn *changed;
	void *ctx;
	struct aws_creds creds;
	uint64_t generation; /* counts fresh keys; 0 = none yet */
	char failure[SESSION_WHY_SIZE];
	/* the session's own */
	bool is_running, is_out_open, is_err_open;
	struct proc child;
	struct buf out, err;
	struct loop_watch out_watch, err_watch, exit_watch;
	struct loop_timer timer; /* renewal while idle, deadline while the helper runs */
};

void session_start(struct session *s, struct loop *l, const struct session_how *how,
		   session_changed_fn *changed, void *ctx);
/* Ends a helper that still runs; wipes. May be called on a zeroed struct. */
void session_stop(struct session *s);

/* The program to run: the option, else the file beside our own, else the name for PATH. */
char *session_program(const char *option); /* the caller frees it */

#endif
