/*
 * ask.h - asks the person what a function is called with: a test of a real function has real
 * effects, so nothing is made up.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_ASK_H
#define PLIMSOLL_CMD_PLIMSOLL_ASK_H

/* One line from the person, the caller's. NULL when nobody is there to be asked (told, with the
 * option that gives it). */
char *ask_payload(const char *subject, const char *option);

#endif
