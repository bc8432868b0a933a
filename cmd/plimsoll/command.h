/*
 * command.h - the front door's commands: one row each in the table of plimsoll.c.
 *
 * Adding a command is one file with its cmd_<name>() and one row. run() gets argv with the
 * command's own name as argv[0] and returns an enum exit_code.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_COMMAND_H
#define PLIMSOLL_CMD_PLIMSOLL_COMMAND_H

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help; /* one line */
};

int cmd_credential(int argc, char **argv);
int cmd_sign(int argc, char **argv);

#endif
