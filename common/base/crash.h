/*
 * crash.h - labelled points where a test may kill, stop or abort the process (rank 0).
 *
 * Only in MODE=fault; in every other build a point is nothing at all. PLIMSOLL_CRASH names what is
 * to happen, as NAME:HIT:HOW: at the HIT-th pass (from 1) of the point NAME do HOW: kill (SIGKILL),
 * stop (SIGSTOP; the test wakes it) or abort. Points stand before and after every durable step.
 *
 *	CRASH_POINT("intake.post-file");
 */
#ifndef PLIMSOLL_BASE_CRASH_H
#define PLIMSOLL_BASE_CRASH_H

#ifdef PLIMSOLL_FAULT
void crash_point(const char *name);
#define CRASH_POINT(name) crash_point(name)
#else
#define CRASH_POINT(name) ((void)0)
#endif

#endif
