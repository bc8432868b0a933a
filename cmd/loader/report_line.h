/*
 * report_line.h - the REPORT line at the end of a Lambda log tail, text and JSON form. Pure.
 *
 * Fields are separated by tabs and compared as whole keys ("Billed Restore Duration" holds
 * "Restore Duration"). A function may print text that looks like a REPORT line: the last one
 * counts, and one whose request id equals the answer's is preferred. A tail without it says
 * nothing: temperature unknown, never "warm".
 *
 *	struct report rep;
 *	if (report_parse(tail, len, request_id, id_len, &rep))
 *		rep.temperature, rep.billed_us, rep.init_us, rep.memory_kib
 *
 * Source: AWS Lambda developer guide (log formats); recorded lines in the unit test.
 */
#ifndef PLIMSOLL_LOADER_REPORT_LINE_H
#define PLIMSOLL_LOADER_REPORT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/measure/outcome.h"

struct report {
	enum temperature temperature;
	uint32_t duration_us, billed_us;
	uint32_t init_us; /* init, or restore of a snapshot; 0 = none */
	uint32_t memory_kib;
};

/* request_id may be NULL. False (and *out untouched) when the tail holds no REPORT line. */
bool report_parse(const char *tail, size_t len_bytes, const char *request_id, size_t id_bytes,
		  struct report *out);

#endif
