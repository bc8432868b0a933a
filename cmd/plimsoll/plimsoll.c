/* plimsoll: the front door. Runs its commands as git does. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cmd/plimsoll/command.h"
#include "common/base/bug.h"
#include "common/base/log.h"
#include "common/base/proc.h"
#include "common/base/strmap.h"

static const struct command *const commands[] = {
#define X(name) &command_##name,
	COMMANDS(X)
#undef X
};

static void print_line(const struct command *c)
{
	printf("  %-18s %s\n", c->name, c->help);
}

static enum exit_code print_help(void)
{
	const char *group = "";

	puts("usage: plimsoll COMMAND [options]\n\n"
	     "Draws the load line for serverless functions, again after every change: tests a new\n"
	     "version against the one before and says better, worse, no difference or cannot "
	     "tell.");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(group, commands[i]->group) != 0)
			printf("\n%s\n", commands[i]->group);
		group = commands[i]->group;
		print_line(commands[i]);
	}
	puts("\nplimsoll COMMAND --help says more; --version; --print-options lists the commands "
	     "for\nmachines. Exit codes: 0 fine, 1 the gate says no, 2 cannot tell, 100 you must "
	     "change\nsomething, 101 a bug of ours, 111 try again, 130 cancelled by Ctrl-C.");
	return EXIT_FINE;
}

static enum exit_code print_version(void)
{
	puts("plimsoll " PLIMSOLL_VERSION);
	return EXIT_FINE;
}

/* One command a line, tab-separated: name group synopsis help. Its options: COMMAND
 * --print-options. */
static enum exit_code print_commands(void)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		printf("%s\t%s\t%s\t%s\n", commands[i]->name, commands[i]->group,
		       commands[i]->synopsis, commands[i]->help);
	return EXIT_FINE;
}

static const struct {
	const char *word;
	enum exit_code (*print)(void);
} pages[] = {
	{"--help", print_help},	      {"-h", print_help},    {"help", print_help},
	{"--version", print_version}, {"-V", print_version}, {"--print-options", print_commands},
};

static enum exit_code unknown(const char *word)
{
	const char *names[ARRAY_LEN(commands)], *near;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		names[i] = commands[i]->name;
	near = nearest_name(word, names, ARRAY_LEN(names));
	log_error("unknown command %s%s%s%s; plimsoll --help lists them", word,
		  near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
	return EXIT_USAGE;
}

/* How many words of argv are this name; 0 when it is another. */
static int words_of(const char *name, int argc, char **argv)
{
	int count = 0;

	for (size_t len; *name; name += len + (name[len] == ' ')) {
		len = strcspn(name, " ");
		if (count >= argc || strlen(argv[count]) != len ||
		    memcmp(argv[count], name, len) != 0)
			return 0;
		count++;
	}
	return count;
}

static bool is_in_group(const struct command *c, const char *word)
{
	size_t len = strlen(word);

	return !strncmp(c->name, word, len) && c->name[len] == ' ';
}

/* "plimsoll admin", "plimsoll admin --help", "plimsoll admin instal"; false: no such word. */
static bool print_group(int argc, char **argv, enum exit_code *code)
{
	bool is_known = false, wants_help = argc > 2 && !strcmp(argv[2], "--help");

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (!is_in_group(commands[i], argv[1]))
			continue;
		if (!is_known && wants_help)
			printf("usage: plimsoll %s COMMAND [options]\n\n", argv[1]);
		else if (!is_known)
			log_error("plimsoll %s: name one of its commands; plimsoll %s --help lists "
				  "them",
				  argv[1], argv[1]);
		if (wants_help)
			print_line(commands[i]);
		is_known = true;
	}
	*code = wants_help ? EXIT_FINE : EXIT_USAGE;
	return is_known;
}

static enum exit_code run_command(int argc, char **argv)
{
	const struct command *best = NULL;
	enum exit_code code;
	int words = 0;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		int count = words_of(commands[i]->name, argc - 1, argv + 1);

		if (count > words) {
			best = commands[i];
			words = count;
		}
	}
	if (best)
		return command_dispatch(best, argc - words, argv + words);
	return print_group(argc, argv, &code) ? code : unknown(argv[1]);
}

static enum exit_code dispatch(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "--help";

	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (!strcmp(word, pages[i].word))
			return pages[i].print();
	return run_command(argc, argv);
}

int main(int argc, char **argv)
{
	enum exit_code code;

	log_init("plimsoll");
	proc_forbid_cores();
	code = dispatch(argc, argv);
	if (!fflush(stdout) && !ferror(stdout))
		return (int)code;
	log_error("cannot write to standard output");
	return (int)exit_code_worse(code, EXIT_AGAIN);
}
