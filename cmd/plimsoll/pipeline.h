/*
 * pipeline.h - runs stages joined by plain pipes, as a shell would, and waits for all of them.
 *
 * The stages run in process groups of their own: the terminal's Ctrl-C reaches only the front door,
 * which asks the stages up to the loader to stop; the others end when their input does, so that
 * what was measured is still told. They end with the front door, however that ends.
 *
 *	struct pipeline p = {0};
 *	struct pipeline_stage *w = pipeline_add(&p, "watcher");
 *	pipeline_arg(w, "--once");
 *	code = pipeline_run(&p);
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_PIPELINE_H
#define PLIMSOLL_CMD_PLIMSOLL_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/exit_code.h"
#include "common/base/loop.h"
#include "common/base/proc.h"

#define PIPELINE_STAGES_MAX 6
#define PIPELINE_ARGS_MAX 40

struct pipeline_stage {
	const char *name;		   /* "loader" */
	char *argv[PIPELINE_ARGS_MAX + 1]; /* owned */
	size_t argc;
	/* the pipeline's own */
	struct proc proc;
	struct loop_watch watch;
	struct pipeline *pipeline;
	int code; /* exit code; -1 while it runs */
};

struct pipeline {
	struct pipeline_stage stages[PIPELINE_STAGES_MAX];
	size_t count;
	int out_fd;	    /* standard output of the last stage; 0 = ours */
	bool was_cancelled; /* a signal came */
	/* its own */
	size_t running;
	struct mono first_signal;
	struct loop_timer hurry; /* after a signal: what waits for the cloud's figures ends */
};

struct pipeline_stage *pipeline_add(struct pipeline *p, const char *name);
void pipeline_arg(struct pipeline_stage *s, const char *text); /* copied */
void pipeline_option(struct pipeline_stage *s, const char *name,
		     const char *value); /* NULL: left out */

/*
 * The last stage's exit code, made worse by what went wrong in the others (their gate codes do
 * not exist). A stage killed by a signal counts as 111, one that aborted as 101.
 */
enum exit_code pipeline_run(struct pipeline *p);
void pipeline_release(struct pipeline *p);

#endif
