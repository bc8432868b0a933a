/* plimsoll: the front door. Runs its commands as git does. */
#include <stdio.h>
#include <string.h>

#include "cmd/plimsoll/command.h"
#include "common/base/bug.h"
#include "common/base/exit_code.h"
#include "common/base/log.h"
#include "common/base/strmap.h"

static const struct command commands[] = {
#define X(name, group, help) {#name, group, help, cmd_##name},
	COMMANDS(X)
#undef X
};

static int print_help(void)
{
	const char *group = "";

	puts("usage: plimsoll COMMAND [options]\n\n"
	     "Draws the load line for serverless functions, again after every change: tests a new\n"
	     "version against the one before and says better, worse, no difference or cannot "
	     "tell.");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(group, commands[i].group) != 0)
			printf("\n%s\n", commands[i].group);
		group = commands[i].group;
		printf("  %-12s %s\n", commands[i].name, commands[i].help);
	}
	puts("\nplimsoll COMMAND --help says more. Exit codes: 0 fine, 1 the gate says no, 2 "
	     "cannot\n"
	     "tell, 100 you must change something, 101 a bug of ours, 111 try again.");
	return fflush(stdout) ? EXIT_AGAIN : EXIT_FINE;
}

static int unknown(const char *word)
{
	const char *names[ARRAY_LEN(commands)], *near;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		names[i] = commands[i].name;
	near = nearest_name(word, names, ARRAY_LEN(names));
	log_error("unknown command %s%s%s%s; plimsoll --help lists them", word,
		  near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "--help";

	log_init("plimsoll");
	if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help"))
		return print_help();
	if (!strcmp(word, "--version") || !strcmp(word, "-V")) {
		puts("plimsoll " PLIMSOLL_VERSION);
		return fflush(stdout) ? EXIT_AGAIN : EXIT_FINE;
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (!strcmp(word, commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	return unknown(word);
}
