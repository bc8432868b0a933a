/*
 * look.h - what the looking commands share: the archive of the settings, and verdict words.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_LOOK_H
#define PLIMSOLL_CMD_PLIMSOLL_LOOK_H

#include "cmd/plimsoll/settings.h"
#include "common/archive/archive.h"
#include "common/base/table.h"

/* Opens the archive that runs are written to. NULL (told) when there is none yet. */
struct archive *look_archive(const struct settings *s, enum archive_mode mode);
/* The run whose id begins so; the caller's. NULL (told) when there is no such run. */
struct json *look_run(const struct settings *s, const char *prefix);
/* Green for better, red for worse and for what failed, ... */
enum text_style look_verdict_style(const char *verdict);
/* The table goes to standard output and is empty again. */
void look_print(struct table *t);
/* "2026-11-22 15:00" of a date in RFC 3339. */
void look_short_date(const char *rfc3339, char out[17]);

/*
 * Hands one event (a JSON text) to plimsoll-sink with these arguments (NULL-terminated, at most
 * LOOK_SINK_ARGS); out gets what it prints. Its exit code, or -errno (told). Blocks, at most 20 s.
 */
#define LOOK_EVENT_MAX_BYTES (16u * 1024u * 1024u)
#define LOOK_SINK_ARGS 20
MUST_CHECK int look_feed_sink(const char *const *args, const char *event, struct buf *out);

/* The text, or "-" for none. */
const char *look_or_dash(const char *text);

/* To standard output; control characters of what strangers wrote do not get through. */
PRINTF_LIKE(1, 2) void look_printf(const char *fmt, ...);

#endif
