/*
 * manual.h - functions that a person named: each is told once, whatever is known of it.
 */
#ifndef PLIMSOLL_CMD_WATCHER_MANUAL_H
#define PLIMSOLL_CMD_WATCHER_MANUAL_H

#include "common/config/config.h"
#include "common/stage/stage.h"

struct manual;

enum manual_what {
	MANUAL_TELL,	  /* as they are */
	MANUAL_COPY_TELL, /* make a second version of their code where there is none, and tell */
	MANUAL_DROP,	  /* delete what MANUAL_COPY_TELL made; nothing is told */
};

/* Checks the names. NULL, and told, when one of them is none; the caller frees it. */
struct manual *manual_new(struct stage *st, const struct config *config, const char *const *names,
			  size_t count, enum manual_what what);
/* Ends the stage when all are told. */
void manual_start(struct manual *m);
size_t manual_held(const struct manual *m);
void manual_free(struct manual *m);

#endif
