/*
 * expect.h - what a good answer looks like: compiled once a shard, asked once an answer.
 *
 * A check that fails makes a good answer a function_error with a reason of its own, such as
 * expect:json:/ok: the reason is made when the table is compiled, so that asking only compares.
 * Nothing is allocated while answers come in.
 *
 *	struct expect e = {0};
 *	if (expect_parse(&e, json_get(target, "expect"), why) == 0) ...
 *	if (expect_has_status(&e, r->status))
 *		reason = expect_failed(&e, r);		// NULL = all hold
 *	expect_release(&e);
 *
 *	status		200, "2xx", or a list of them; none given = any 2xx
 *	headers		{NAME: {"present": true} or {"equals": text} or {"contains": text}}
 *	body_contains	text
 *	json		{POINTER: a text, number, true, false or null}
 *	body_bytes	{min, max} of the whole body, also where only its beginning is kept
 *
 * DIAGNOSTICS
 *	-EINVAL with why: something that is no check, or more than EXPECT_CHECKS_MAX. A body that
 *	was longer than what is kept (limits.body_bytes) fails a check of its contents as
 *	expect:body_longer_than_kept.
 */
#ifndef PLIMSOLL_LOADER_EXPECT_H
#define PLIMSOLL_LOADER_EXPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/engine/response.h"
#include "common/json/json.h"
#include "common/measure/outcome.h"

#define EXPECT_STATUSES_MAX 16
#define EXPECT_CHECKS_MAX 32
#define EXPECT_WHY_SIZE 160

struct expect_check {
	bool (*holds)(const struct expect_check *c, const struct response *r);
	bool is_of_contents; /* cannot be told of a body that was cut */
	char *place;	     /* a header's name, a JSON pointer; owned */
	char *text;	     /* owned, not NUL-terminated where it holds one */
	size_t text_bytes;
	int kind; /* of text: enum json_slice_kind */
	double number;
	uint64_t min_bytes, max_bytes;
	char reason[REASON_SIZE];
};

struct expect {
	struct {
		uint16_t from, to;
	} statuses[EXPECT_STATUSES_MAX];
	size_t status_count; /* 0 = none given: any 2xx */
	struct expect_check checks[EXPECT_CHECKS_MAX];
	size_t check_count;
};

/* j may be NULL. e is zero before; expect_release() also after a failure. */
MUST_CHECK int expect_parse(struct expect *e, const struct json *j, char why[EXPECT_WHY_SIZE]);
void expect_release(struct expect *e);
bool expect_has_status(const struct expect *e, int status);
/* The reason of the first check that fails, or NULL. */
const char *expect_failed(const struct expect *e, const struct response *r);

#endif
