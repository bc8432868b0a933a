/*
 * log.h - talk for people and machines, on stderr only (rank 0).
 *
 * One line an event: logfmt (level=warn stage=loader msg="..."), or on a terminal
 * "plimsoll-loader: warning: ...". Control characters are escaped. Secrets and payloads
 * never go in. A message says what was tried, on what, why it failed and what to do.
 *
 *	log_warn("cannot read %s: %s; the last good file stays in force", path, strerror(e));
 *
 * A message that data can repeat goes through log_limited with a counter of its own:
 *
 *	static struct log_limit bad_line;
 *	log_limited(&bad_line, LOG_WARN, "line is not JSON (%s); put aside", why);
 */
#ifndef PLIMSOLL_BASE_LOG_H
#define PLIMSOLL_BASE_LOG_H

#include <stdint.h>

#include "common/base/bug.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_limit {
	int64_t next_ns; /* monotonic: silent until then, then says how many were left out */
	uint64_t left_out;
};

/* Who speaks, e.g. "plimsoll-loader"; kept by pointer. Level INFO until log_set_level. */
void log_init(const char *program);
void log_set_level(enum log_level level);
/* Name of a level as --log-level takes it, or -EINVAL. */
MUST_CHECK int log_level_parse(const char *name, enum log_level *out);

PRINTF_LIKE(2, 3) void log_at(enum log_level level, const char *fmt, ...);
PRINTF_LIKE(3, 4) void log_limited(struct log_limit *l, enum log_level level, const char *fmt, ...);

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

#endif
