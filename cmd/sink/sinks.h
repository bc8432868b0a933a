/*
 * sinks.h - the places where results go: one row of a table and one file each.
 *
 * A new sink is a file with a struct sink_kind and its row in sinks.c. deliver() is handed every
 * event of a kind in wants, in order; it copies what it keeps. It may be slow in the background
 * (held() says how much is unfinished, has_room() stops the input); what it could not do by the
 * end is an exit code. A sink in trouble never stops the others; on the bus it gets its events
 * later (deliveries.h).
 *
 * DIAGNOSTICS
 *	check: false when the sink cannot work as it was asked to (told; the process ends with 100).
 *	open: the same as an exit code, or 111 when another try may help.
 *	deliver: 0 it has the event; -EINPROGRESS, and sink_done() later; else -errno, told by the
 *	sink: in a pipe the event is lost for it, on the bus it comes again (-EINVAL: it does not).
 */
#ifndef PLIMSOLL_SINK_SINKS_H
#define PLIMSOLL_SINK_SINKS_H

#include "cmd/sink/ledger.h"
#include "common/config/config.h"
#include "common/stage/stage.h"

struct sink;

struct sink_kind {
	const char *name;	/* "pushgateway", as --to and sinks: know it */
	const char *value_name; /* "URL"; NULL = takes no value */
	const char *fallback;	/* value where nobody gives one; NULL = it must be given */
	const char *help;
	uint32_t wants; /* EV_BIT()s */

	/* Looks at the value and touches nothing. May be NULL. */
	bool (*check)(const struct sink *s);
	enum exit_code (*open)(struct sink *s);
	int (*deliver)(struct sink *s, const struct event *ev);
	/* End of input. May be NULL. */
	void (*end)(struct sink *s);
	size_t (*held)(const struct sink *s);	 /* NULL = nothing ever */
	bool (*has_room)(const struct sink *s);	 /* NULL = always */
	size_t (*refused)(const struct sink *s); /* groups that the other side refuses; NULL = 0 */
	enum exit_code (*close)(struct sink *s);
};

/* What the sinks share with the stage around them. */
struct sink_world {
	struct stage *st;
	const struct config *config;   /* NULL = none */
	struct ledger_export *exports; /* as ledger_group takes them; NULL without configuration */
	size_t export_count;
	int64_t retry_ms;	       /* after the end of the input, for what others refuse */
	int64_t sweep_ms;	       /* how often unknown groups are removed; 0 = never */
	struct deliveries *deliveries; /* NULL in a pipe */
};

#define SINK_NAME_SIZE 80
struct sink_late;

struct sink {
	const struct sink_kind *kind;
	char *value; /* owned: a URL, a path; NULL when the kind takes none */
	const struct config_sink *settings; /* borrowed; NULL when it came from --to alone */
	struct sink_world *world;
	void *own;		   /* the kind's, from open to close */
	char name[SINK_NAME_SIZE]; /* of the destination: that of the settings, else made up */
	size_t lost;		   /* events that it will never have */
	struct sink_late *late;	   /* on the bus: what it gets later (deliveries.h) */
	int64_t late_pause_ns;
	struct mono late_at;
};

#define SINKS_MAX 16
struct sinks {
	struct sink items[SINKS_MAX];
	size_t count;
};

extern const struct sink_kind sink_terminal, sink_pushgateway, sink_archive, sink_file, sink_exec,
	sink_junit, sink_github;

/* Adds NAME or NAME=VALUE; the same sink twice is one. False when it makes no sense (told). */
MUST_CHECK bool sinks_add(struct sinks *all, const char *spec, struct sink_world *world);
/* Adds those of the configuration; kinds that this program does not know are told, no more. */
void sinks_add_configured(struct sinks *all, struct sink_world *world);
MUST_CHECK bool sinks_check(const struct sinks *all);
MUST_CHECK enum exit_code sinks_open(struct sinks *all);
bool sink_wants(const struct sink *s, const struct event *ev);
/* The sink has the event now, or has given it up: of one whose deliver() said -EINPROGRESS. */
void sink_done(struct sink *s, const char *event_id);
/* In a pipe: to all that want it. */
void sinks_deliver(struct sinks *all, const struct event *ev);
void sinks_end(struct sinks *all);
size_t sinks_held(const struct sinks *all);
size_t sinks_refused(const struct sinks *all);
bool sinks_have_room(const struct sinks *all);
enum exit_code sinks_close(struct sinks *all);

#endif
