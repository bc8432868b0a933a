/*
 * settings.h - the settings a command works with: the person's file, or, without one, the SDK's
 * default profile and region with small limits, written into the state folder.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_SETTINGS_H
#define PLIMSOLL_CMD_PLIMSOLL_SETTINGS_H

#include "cmd/plimsoll/args.h"

struct settings {
	struct config *config;	   /* never NULL after settings_open */
	char *path;		   /* of the file the stages read */
	char *state_dir, *archive; /* archive NULL: the settings name one of their own */
};

/* Told on stderr when not EXIT_FINE. */
enum exit_code settings_open(const struct args *a, struct settings *out);
void settings_release(struct settings *s);
/* "hello" or "prod/hello" -> "prod/hello", the caller's; NULL (told) when it fits no account. */
char *settings_subject(const struct settings *s, const char *name);

/* Writes a settings file, but never over one of the person's unless told to. */
enum exit_code settings_write_new(const char *path, const struct buf *text, bool is_forced);

#endif
