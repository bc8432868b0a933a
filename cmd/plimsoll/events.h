/*
 * events.h - reads a file of events line by line.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_EVENTS_H
#define PLIMSOLL_CMD_PLIMSOLL_EVENTS_H

#include "common/base/lines.h"

/* Calls see for every whole line. A file that is not there has none. */
void events_read(const char *path, void (*see)(const struct line *line, void *ctx), void *ctx);
void events_read_fd(int fd, void (*see)(const struct line *line, void *ctx), void *ctx);

#endif
