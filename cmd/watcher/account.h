/*
 * account.h - one AWS account under watch: lists it, sorts what the list holds, looks at what
 * differs. One call or a few a turn of the loop, so that signals and other accounts get theirs.
 *
 * Phases: idle -> listing (a page a turn) -> sorting (some functions a turn) -> idle, where what is
 * to be looked at in detail ("todo") is done when it is due.
 */
#ifndef PLIMSOLL_CMD_WATCHER_ACCOUNT_H
#define PLIMSOLL_CMD_WATCHER_ACCOUNT_H

#include "cmd/watcher/known.h"
#include "common/aws/lambda.h"
#include "common/base/strmap.h"
#include "common/config/config.h"
#include "common/stage/stage.h"

enum todo_what {
	TODO_LOOK,   /* read it, and tell what changed */
	TODO_COPY,   /* see to it that there is a version of the newest code that nobody calls */
	TODO_RETIRE, /* delete versions of ours that are no longer needed */
	TODO_GONE,   /* ask by name whether it is really gone */
};

struct todo {
	enum todo_what what;
	char *name; /* of the function, as in subjects */
	struct mono due, since;
	unsigned failures;
};

enum phase { PHASE_IDLE, PHASE_LISTING, PHASE_SORTING };

struct account {
	struct stage *st;		   /* borrowed */
	const struct config *config;	   /* borrowed */
	const struct config_account *conf; /* borrowed from config */
	struct aws_client *client;	   /* owned */
	bool is_once;
	void (*done)(struct account *a); /* with is_once: everything has been said */
	void *done_ctx;			 /* the caller's */

	struct strmap known; /* name -> struct known, owned */
	struct strmap todos; /* name -> struct todo, owned */
	enum phase phase;
	struct lambda_list list;
	char *marker; /* of the next page */
	size_t sorted_count;
	uint32_t pass;		/* counts the lists */
	bool is_first_sight;	/* until the first whole list */
	bool is_inventory_open; /* its summary is still to be told */
	bool has_listed, is_done;
	struct loop_timer tick;
	struct mono next_poll;

	enum aws_fault fault; /* what polling fails with; AWS_FINE = it works */
	unsigned failures;
	enum exit_code code; /* with is_once */

	struct lambda_account limits;
	struct wall limits_read_at; /* for the event; 0 = never */
	struct mono limits_fresh_until;
	size_t seen_count, tested_count, published_count; /* in the first sight */
	bool is_told_no_publish, is_told_no_limits, is_told_no_delete, is_told_no_copy;
};

/* Opens the client and reads what is known from the state. NULL, and told: the client cannot be
 * made. The caller frees it. */
struct account *account_new(struct stage *st, const struct config *config,
			    const struct config_account *conf);
void account_free(struct account *a);
/* Sets the first tick. */
void account_start(struct account *a);

/* for the parts of the watcher */

void account_put_known(struct account *a, const char *name, const struct known *k);
void account_drop_known(struct account *a, const char *name);
/* Harmless when it is there already. */
void account_todo(struct account *a, const char *name, enum todo_what what, int64_t in_ms);
/* The rule of a function, and whether any test stands in it. */
const struct config_function *account_rule(const struct account *a, const char *name,
					   bool *is_tested);
/* One of its tests says cold: force, and we may publish what that takes. */
bool account_forces_cold(const struct account *a, const char *name);
/* The provider's name of it: differs where a rule has cloud_name. */
const char *account_cloud_name(const struct account *a, const char *name);
/* "ACCOUNT/FUNCTION"; the caller frees it. */
char *account_subject(const struct account *a, const char *name);
/* Logs a fault once until account_recovered(); with is_once it goes into the exit code. */
void account_failed(struct account *a, const struct aws_error *err);
void account_recovered(struct account *a);

#endif
