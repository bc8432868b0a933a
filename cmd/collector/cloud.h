/*
 * cloud.h - when the provider is asked about a run, and what is done with its answers.
 *
 * Figures (after the first verdict): CloudWatch's points come late, so a read counts only when the
 * load ended --cloud-settle ago (at once where the account has an endpoint of its own: an
 * emulator), and is believed when the next one says the same. When --wait-cloud is over (one time
 * for all that a run is asked for) the last read stands, unconfirmed.
 *
 * Environments (after the first verdict, before figures; where the account says so and the answers
 * did not name them): the function's logs come late too, so they are read CLOUD_LOGS_AFTER_MS after
 * the load and, where the reader says that much is missing, once more.
 *
 * Revision (before the verdict, of a mutable target only): one read, CLOUD_CHECK_MS at most.
 */
#ifndef PLIMSOLL_COLLECTOR_CLOUD_H
#define PLIMSOLL_COLLECTOR_CLOUD_H

#include "cmd/collector/runs.h"
#include "common/config/config.h"

#define CLOUD_CHECK_MS 5000
#define CLOUD_LOGS_AFTER_MS 30000
#define CLOUD_LOGS_READS 2

struct cloud_opts {
	int64_t wait_ms, settle_ms, every_ms;
};

struct cloud {
	struct loop *loop;
	const struct config *config; /* NULL = nothing is ever asked */
	const char *state_dir;	     /* for the account's limiter; may be NULL */
	const struct cloud_opts *opts;
	/* cloud_take is the answer as ask_cloud.h has it, or NULL: there was none. */
	void (*figures)(struct run *r, struct json *cloud_take);
	/* answer as ask_cloud.h has it. False: much is missing in it. */
	bool (*environments)(struct run *r, const struct json *answer);
	void (*environments_over)(struct run *r);
	/* changed: words, when the target is another by now; else NULL. */
	void (*checked)(struct run *r, const char *changed);
};

/* False when this run's account is not to be asked: nothing is called back. */
bool cloud_ask_figures(struct cloud *c, struct run *r);
bool cloud_wants_environments(const struct cloud *c, const struct run *r);
bool cloud_ask_environments(struct cloud *c, struct run *r);
bool cloud_check_revision(struct cloud *c, struct run *r);
/* Forgets what is under way for this run, without a call. */
void cloud_stop(struct run *r);
/* Ends all waiting for later reads: what has been read last stands. */
void cloud_hurry(struct run *r);

/* The pure part: words when a target changed under the run, else NULL. */
const char *cloud_compare_revision(const struct json *plan, const struct json *answer);

#endif
