/*
 * amend.h - what comes after the first verdict: run.finished again, under a higher rev.
 *
 * Environments from the logs come first and may change the verdict; the cloud's figures and what
 * sources and other tools say are added to it. The first verdict waits for none of them.
 *
 *	tell(c, r);			// rev 0
 *	amend_ask_cloud(c, r);		// answers come back to amend_with_...
 *	amend_if_due(c, r);
 *	amend_close_if_over(c, r);
 *
 * DIAGNOSTICS
 *	Logs that name too few of the calls, and a cloud without figures, are told in a line each;
 *	the verdict stands.
 */
#ifndef PLIMSOLL_COLLECTOR_AMEND_H
#define PLIMSOLL_COLLECTOR_AMEND_H

#include "cmd/collector/own.h"

/* With what it has now; cloud_take are the cloud's figures, NULL = none. */
void amend(struct collector *c, struct run *r, struct json *cloud_take);
/* One amendment tells all that has come, so it waits for what is known to be on its way. */
void amend_if_due(struct collector *c, struct run *r);
/*
 * Over when nothing more can come: at the end of input, and of runs that nobody reports on. On the
 * bus a run that has something new comes again as a whole.
 */
void amend_close_if_over(struct collector *c, struct run *r);

/* Whether logs may name them afterwards, so that its shards are to be kept. */
bool amend_may_name_environments(const struct collector *c, const struct run *r);
/* After the first verdict: the logs, if they are wanted, and then the figures. */
void amend_ask_cloud(struct collector *c, struct run *r);

/* Called back by cloud.h, sources.h and the loop. */
void amend_with_cloud_figures(struct run *r, struct json *cloud_take);
bool amend_with_environments(struct run *r, const struct json *answer);
void amend_environments_over(struct run *r);
void amend_with_source_figures(struct run *r, struct json *figures_take);
void amend_on_timer(struct loop *l, struct loop_timer *t);

#endif
