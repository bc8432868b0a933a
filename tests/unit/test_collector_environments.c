/* Environments from the logs: judged as if the answers had named them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/collector/finish.h"
#include "cmd/collector/log_environments.h"
#include "common/base/strmap.h"
#include "tests/unit/collector_judged.h"

#define TEXT_MAX_BYTES (4u << 20)

/* What the logs would say: request id -> the name the answer itself gave. */
struct logs {
	struct strmap by_id;
	uint32_t lose_each;   /* every n-th call has not come in yet */
	bool has_stream_each; /* an emulator: each call has a stream of its own */
};

static const char *stream_of(const void *ctx, const char *id)
{
	return strmap_get(&((const struct logs *)ctx)->by_id, id);
}

static void put_calls(struct json *shard, const struct calls *calls)
{
	struct buf packed = BUF_INIT(TEXT_MAX_BYTES);

	calls_encode(calls, &packed);
	json_put_str(shard, "calls", buf_str(&packed));
	buf_release(&packed);
}

/* A shard whose calls have request ids and no environments; the names go into logs. */
static struct json *unnamed(const struct json *shard, struct logs *logs)
{
	const char *text = json_get_str(shard, "calls");
	const struct json *names = json_get(shard, "instances");
	struct json *out = json_copy(shard);
	struct calls calls = CALLS_INIT;

	assert_int_equal(calls_decode(text, strlen(text), &calls), 0);
	for (size_t i = 0; i < calls.count; i++) {
		struct call_record *c = &calls.items[i];
		char id[CALL_ID_MAX_BYTES + 1];
		int len = snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012zx", i);

		c->id_bytes = (uint8_t)len;
		memcpy(c->id, id, (size_t)len);
		if (c->instance && !(logs->lose_each && i % logs->lose_each == 0)) {
			const char *name = json_str(json_elem(names, (size_t)c->instance - 1));

			strmap_put(&logs->by_id, id,
				   logs->has_stream_each ? x_strdup(id) : x_strdup(name));
		}
		c->instance = 0;
	}
	put_calls(out, &calls);
	json_put(out, "instances", json_arr());
	calls_release(&calls);
	return out;
}

static char *told(struct json *plan, const struct json *shard, struct judgement *j)
{
	const struct json *shards[1] = {shard};
	struct gathered *g = gather_run(plan, shards, 1);
	struct judge_facts facts = {0};
	struct buf text = BUF_INIT(TEXT_MAX_BYTES);
	struct json *data;
	char *out;

	judge_run(plan, g, &facts, j);
	data = finish_judged(plan, g, j, wall_from_s(1795395600));
	json_write(data, &text);
	out = x_strdup(buf_str(&text));
	json_free(data);
	buf_release(&text);
	gathered_free(g);
	return out;
}

struct tried {
	char *given, *blind, *named; /* run.finished: names in the answers, none, from the logs */
	struct judgement of_blind, of_named;
	struct named_calls n;
};

static struct tried try_run(const struct sim *s, struct logs *logs)
{
	struct json *plan = default_plan(16), *shard = sim_shard(s);
	struct json *blind = unnamed(shard, logs), *named;
	struct judgement of_given;
	struct tried t = {0};

	named = log_environments_put(blind, stream_of, logs, &t.n);
	assert_non_null(named);
	t.given = told(plan, shard, &of_given);
	t.blind = told(plan, blind, &t.of_blind);
	t.named = told(plan, named, &t.of_named);
	judgement_release(&of_given);
	json_free(named);
	json_free(blind);
	json_free(shard);
	json_free(plan);
	return t;
}

static void end(struct tried *t, struct logs *logs)
{
	judgement_release(&t->of_blind);
	judgement_release(&t->of_named);
	free(t->given);
	free(t->blind);
	free(t->named);
	strmap_release(&logs->by_id, free);
}

/* Long enough for blocks to give an interval too. */
static const struct sim slower = {.seed = 7,
				  .factor = 1.3,
				  .host_sd = 0.05,
				  .environments = 16,
				  .rounds = 120,
				  .warmup_rounds = 6,
				  .spread = 4,
				  .round_s = 0.8,
				  .base_ms = 60,
				  .noise_sd = 0.05};

/* The same bytes as if the answers had said so, each time. */
static void test_as_if_told(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct logs logs = {0};
		struct tried t = try_run(&slower, &logs);

		(void)state;
		assert_string_equal(t.given, t.named);
		assert_string_not_equal(t.given, t.blind);
		assert_int_equal(t.of_named.interval_basis, BASIS_ENVIRONMENTS);
		assert_int_not_equal(t.of_blind.interval_basis, BASIS_ENVIRONMENTS);
		assert_true(named_calls_suffice(&t.n));
		assert_int_equal(t.n.named, t.n.asked);
		end(&t, &logs);
	}
}

static void test_half_found(void **state)
{
	static const struct {
		uint32_t lose_each;
		bool suffice;
	} cases[] = {{2, false}, {9, false}, {11, true}, {100, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct logs logs = {.lose_each = cases[i].lose_each};
		struct tried t = try_run(&slower, &logs);

		assert_int_equal(named_calls_suffice(&t.n), cases[i].suffice);
		end(&t, &logs);
	}
	assert_false(named_calls_suffice(&(struct named_calls){0}));
}

/* Fewer than 3 calls a stream: these are no environments, and nothing is to be told again. */
static void test_stream_a_call(void **state)
{
	struct logs logs = {.has_stream_each = true};
	struct tried t = try_run(&slower, &logs);

	(void)state;
	assert_true(named_calls_suffice(&t.n));
	assert_int_equal(t.of_blind.interval_basis, BASIS_BLOCKS_WIDENED);
	assert_int_equal(t.of_named.interval_basis, BASIS_BLOCKS_WIDENED);
	assert_int_equal(t.of_named.verdict, t.of_blind.verdict);
	assert_int_equal(t.of_named.outcome, t.of_blind.outcome);
	assert_true(isfinite(t.of_blind.metrics[0].bounds.low));
	assert_true(t.of_named.metrics[0].bounds.low == t.of_blind.metrics[0].bounds.low);
	assert_true(t.of_named.metrics[0].bounds.high == t.of_blind.metrics[0].bounds.high);
	end(&t, &logs);
}

static void test_no_calls(void **state)
{
	struct json *shard = json_obj();
	struct named_calls n = {0};
	struct logs logs = {0};

	(void)state;
	assert_null(log_environments_put(shard, stream_of, &logs, &n));
	json_put_str(shard, "calls", "UExDMQ==");
	assert_null(log_environments_put(shard, stream_of, &logs, &n));
	assert_int_equal(n.asked, 0);
	json_free(shard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_if_told),
		cmocka_unit_test(test_half_found),
		cmocka_unit_test(test_stream_a_call),
		cmocka_unit_test(test_no_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
