/*
 * exit_code.h - the exit codes of every Plimsoll program; an interface (rank 0).
 */
#ifndef PLIMSOLL_BASE_EXIT_CODE_H
#define PLIMSOLL_BASE_EXIT_CODE_H

enum exit_code {
	EXIT_FINE = 0,
	EXIT_GATE_NO = 1,     /* worse, or an objective missed */
	EXIT_CANNOT_TELL = 2, /* no data is never green */
	EXIT_USAGE = 100,     /* you must change something */
	EXIT_BUG = 101,	      /* our bug */
	EXIT_AGAIN = 111,     /* a fault of the world: try again */
	EXIT_CANCELLED = 130, /* Ctrl-C; the front door only */
};

/* Of several runs the first of 101, 100, 111, 1, 2, 0 wins. */
enum exit_code exit_code_worse(enum exit_code a, enum exit_code b);

#endif
