/*
 * child.h - a helper program beside the loop: input given whole, output collected, a deadline.
 *
 * The collector never waits: asking a cloud or a tool is the work of a child.
 *
 *	c->done = on_done;
 *	rc = child_start(loop, c, &spec, input, len, 10 * MS_PER_S);
 *	// later, once: done(c, exit code, output)
 *
 * DIAGNOSTICS
 *	done() is told the exit code, 128 + signal, or -ETIMEDOUT, -E2BIG (more than
 *	CHILD_OUTPUT_MAX_BYTES; killed).
 */
#ifndef PLIMSOLL_COLLECTOR_CHILD_H
#define PLIMSOLL_COLLECTOR_CHILD_H

#include "common/base/loop.h"
#include "common/base/proc.h"

#define CHILD_OUTPUT_MAX_BYTES (256u * 1024u)

struct child {
	void (*done)(struct child *c, int code, const struct buf *output);
	size_t output_max_bytes; /* 0 = CHILD_OUTPUT_MAX_BYTES */
	/* the child's own */
	struct loop *loop;
	struct proc proc;
	struct loop_watch out, ended;
	struct loop_timer deadline;
	struct buf output;
	bool is_running;
};

/* -errno when it cannot be started; done() is then not called. Input is copied. */
MUST_CHECK int child_start(struct loop *l, struct child *c, const struct proc_spec *spec,
			   const char *input, size_t input_bytes, int64_t timeout_ms);
/* Kills it without done(); harmless when it does not run. */
void child_stop(struct child *c);

#endif
