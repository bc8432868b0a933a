/*
 * bookkeeping.c - the inequality, variant by variant.
 */
#include "cmd/collector/bookkeeping.h"
#include "common/measure/outcome.h"

struct count {
	int64_t sent, unknown;
};

static void add(struct count *c, const struct json *outcomes)
{
	for (int o = 0; o < OUTCOME_COUNT; o++) {
		int64_t n = json_get_int(outcomes, outcome_name((enum outcome)o), 0);
		bool is_unknown = o == OUT_TIMEOUT || o == OUT_CONNECT || o == OUT_ABORTED;
		/* Neither a name that did not resolve nor a failed handshake carried a request. */
		bool is_sent = o != OUT_NOT_SENT && o != OUT_DNS && o != OUT_TLS;

		c->sent += is_sent ? n : 0;
		c->unknown += is_unknown ? n : 0;
	}
}

static bool is_closed(const struct json *finished, const struct json *version, const char *variant)
{
	struct count c = {0};
	int64_t seen =
		json_get_int(version, "invocations", 0) + json_get_int(version, "throttles", 0);

	add(&c, json_get(json_get(finished, "requests"), variant));
	add(&c, json_get(json_get(finished, "warmup_requests"), variant));
	return c.sent - c.unknown <= seen && seen <= c.sent;
}

const char *bookkeeping_of(const struct json *finished, const struct json *cloud)
{
	const struct json *variants = json_get(finished, "variants");
	bool are_closed = true;

	for (size_t i = 0; i < json_len(variants); i++) {
		const char *name = json_get_str(json_elem(variants, i), "name");
		const struct json *version =
			name ? json_get(json_get(cloud, "versions"), name) : NULL;

		if (!version)
			return "unchecked";
		are_closed = are_closed && is_closed(finished, version, name);
	}
	if (json_len(variants) == 0)
		return "unchecked";
	return are_closed ? "closed" : "open";
}
