/*
 * bus_view.h - what the services have in hand, in tables for people. All of it is read with
 * functions that write nothing, so that it answers when Redis is full.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_BUS_VIEW_H
#define PLIMSOLL_CMD_PLIMSOLL_BUS_VIEW_H

#include "cmd/plimsoll/bus.h"
#include "cmd/plimsoll/settings.h"

/* The settings have a bus: section, so services do the work. */
bool bus_view_wanted(const struct settings *s);

/* Counts, then every change and run that is not at its end; of one function unless subject is NULL.
 */
enum exit_code bus_view_status(const struct settings *s, const struct bus_opts *o,
			       const char *subject);
/* The rows of one list of pl_list. */
enum exit_code bus_view_list(struct bus_door *bus, const char *what);
/* Everything that Redis knows of a run or a change. */
enum exit_code bus_view_run(struct bus_door *bus, const char *id);

#endif
