/*
 * command.h - the front door's commands: one row each in COMMANDS.
 *
 * Adding a command is one file with its cmd_<name>() and one row. run() gets argv with the
 * command's own name as argv[0] and returns an enum exit_code.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_COMMAND_H
#define PLIMSOLL_CMD_PLIMSOLL_COMMAND_H

/* X(name, group, one line for --help) */
#define COMMANDS(X)                                                                                \
	X(check, "set-up", "checks the settings: every mistake with file, line and column")        \
	X(run, "use", "tests one function now and says what the change did")                       \
	X(watch, "use", "the whole pipe in the foreground, live")                                  \
	X(hist, "look", "reads, merges and prints HdrHistogram logs")                              \
	X(pause, "on call", "stops all load within a second")                                      \
	X(resume, "on call", "lets load start again")

struct command {
	const char *name, *group, *help;
	int (*run)(int argc, char **argv);
};

#define X(name, group, help) int cmd_##name(int argc, char **argv);
COMMANDS(X)
#undef X

#endif
