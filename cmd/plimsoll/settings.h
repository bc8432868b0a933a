/*
 * settings.h - the settings a command works with: the person's file, or, without one, the SDK's
 * default profile and region with small limits, written into the state folder.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_SETTINGS_H
#define PLIMSOLL_CMD_PLIMSOLL_SETTINGS_H

#include "common/base/buf.h"
#include "common/base/exit_code.h"
#include "common/config/config.h"

struct settings {
	struct config *config;	   /* never NULL after settings_open */
	char *path;		   /* of the file the stages read */
	char *state_dir, *archive; /* archive NULL: the settings name one of their own */
};

/*
 * Loads the file that is given (NULL: the one that is found); *path is the caller's. NULL *out with
 * EXIT_FINE: there is none. EXIT_USAGE: it has mistakes, which were told.
 */
enum exit_code settings_load(const char *given, struct config **out, char **path);
/* Options as given, NULL when not. Told on stderr when not EXIT_FINE; *out is then untouched. */
enum exit_code settings_open(const char *config, const char *state, struct settings *out);
void settings_release(struct settings *s); /* zeroed settings are fine */
/* "hello" or "prod/hello" -> "prod/hello", the caller's; NULL (told) when it fits no account. */
char *settings_subject(const struct settings *s, const char *name);

/* Why load is paused, the caller's; NULL when it is not. */
char *settings_pause_reason(const struct settings *s);

/* Writes a settings file, but never over one of the person's unless told to. */
enum exit_code settings_write_new(const char *path, const struct buf *text, bool is_forced);

#endif
