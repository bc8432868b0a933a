/* load_verdict.c - see load_verdict.h. */
#include "cmd/plimsoll/load_verdict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/unit.h"

int load_limits_read(const struct load_want *o, struct load_limits *l, struct buf *why)
{
	const struct {
		const char *name;
		int64_t ns;
	} times[] = {
		{"max-p50", o->max_p50_ns}, {"max-p95", o->max_p95_ns}, {"max-p99", o->max_p99_ns}};
	double ratio;

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (times[i].ns)
			l->items[l->count++] = (struct load_limit){
				.name = times[i].name, .limit = (double)times[i].ns / 1e3};
	if (!o->max_error_ratio)
		return 0;
	if (unit_parse_ratio(o->max_error_ratio, &ratio)) {
		buf_addf(why, "--max-error-ratio %s: expected %s", o->max_error_ratio,
			 unit_expected(UNIT_RATIO));
		return -EINVAL;
	}
	l->items[l->count++] =
		(struct load_limit){.name = "max-error-ratio", .limit = ratio, .is_ratio = true};
	return 0;
}

void load_limits_judge(struct load_limits *l, const struct load_result *r)
{
	const struct hdr *h = r->figures[LOAD_RESPONSE];

	for (size_t i = 0; i < l->count; i++) {
		struct load_limit *one = &l->items[i];

		if (one->is_ratio)
			one->value = load_error_ratio(r);
		else
			one->value = (double)hdr_percentile(
				h, strtod(one->name + strlen("max-p"), NULL));
		one->is_met = one->value <= one->limit && (one->is_ratio || hdr_count(h));
	}
}

enum exit_code load_verdict(const struct load_run *r, const struct load_limits *l)
{
	const struct load_result *all = &r->total;
	enum exit_code code = EXIT_FINE;

	if (r->was_cancelled)
		return EXIT_CANCELLED;
	if (all->failed)
		return EXIT_AGAIN;
	if (json_len(all->suspect) || !load_run_is_complete(r) || !all->outcomes[OUT_OK])
		code = EXIT_CANNOT_TELL;
	for (size_t i = 0; i < l->count; i++)
		if (!l->items[i].is_met)
			code = exit_code_worse(code, EXIT_GATE_NO);
	return code;
}
