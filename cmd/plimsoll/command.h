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
	X(init, "set-up", "lists the account's functions and writes a settings file")              \
	X(check, "set-up", "checks the settings: every mistake with file, line and column")        \
	X(add, "set-up", "writes a rule for one function into conf.d/")                            \
	X(list, "set-up", "the functions of all accounts and the rule for each")                   \
	X(run, "use", "tests one function now and says what the change did")                       \
	X(watch, "use", "the whole pipe in the foreground, live")                                  \
	X(status, "look", "the last run of every function")                                        \
	X(show, "look", "one run, as it was told")                                                 \
	X(why, "look", "why a function was tested, or not")                                        \
	X(compare, "look", "the figures of two runs side by side")                                 \
	X(hist, "look", "reads, merges and prints HdrHistogram logs")                              \
	X(pause, "on call", "stops all load within a second")                                      \
	X(resume, "on call", "lets load start again")                                              \
	X(accept, "on call", "this slowdown is meant: a new baseline")                             \
	X(credential, "plumbing", "an account's credentials as credential_process JSON")           \
	X(sign, "plumbing", "shows how a raw HTTP request on stdin is signed")

struct command {
	const char *name, *group, *help;
	int (*run)(int argc, char **argv);
};

#define X(name, group, help) int cmd_##name(int argc, char **argv);
COMMANDS(X)
#undef X

#endif
