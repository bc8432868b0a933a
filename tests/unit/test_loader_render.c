/*
 * test_loader_render.c - calls that differ: the same for both variants, others for each shard, and
 * ready before they are due.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/base/fsio.h"

#include "cmd/loader/ahead.h"

#define ROWS "id,name\n10,a\n11,\"b \"\"c\"\"\"\n12,d\n"

static char folder[] = "/tmp/plimsoll-rows-XXXXXX";

static int make_rows(void **state)
{
	char *path;
	int rc;

	(void)state;
	assert_non_null(mkdtemp(folder));
	path = x_asprintf("%s/rows.csv", folder);
	rc = fs_write_atomic(path, ROWS, strlen(ROWS), 0600);
	free(path);
	return rc;
}

static int remove_rows(void **state)
{
	char *path = x_asprintf("%s/rows.csv", folder);

	(void)state;
	remove(path);
	free(path);
	return rmdir(folder);
}

struct sample {
	const char *url, *body, *filling, *order; /* NULL = not given */
	int index, of;
	bool is_lambda;
};

static struct json *payload_json(const struct sample *c)
{
	struct json *p = json_obj(), *rows = json_obj();
	struct buf text = BUF_INIT(4096);
	char sha[SHA256_HEX_SIZE];

	digest_sha256_hex(ROWS, strlen(ROWS), sha);
	digest_base64(c->body ? c->body : "", c->body ? strlen(c->body) : 0, &text);
	json_put_str(p, "base64", buf_str(&text));
	json_put_str(p, "template", c->filling);
	json_put_str(rows, "file", "rows.csv");
	json_put_str(rows, "sha256", sha);
	json_put_str(rows, "format", "csv");
	json_put_str(rows, "order", c->order);
	json_put(p, "rows", rows);
	buf_release(&text);
	return p;
}

static struct json *target_json(const char *variant, const char *url, bool is_lambda)
{
	struct json *t = json_obj();

	json_put_str(t, "variant", variant);
	json_put_str(t, "method", is_lambda ? "lambda-invoke" : "http");
	json_put_str(t, "function", is_lambda ? "f" : NULL);
	json_put_str(t, "region", "us-east-1");
	json_put_str(t, "url", url);
	json_put_bool(t, "template", strstr(url, "{{") != NULL);
	return t;
}

static struct shard *make_shard(const struct sample *c)
{
	struct json *data = json_obj(), *where = json_obj(), *work = json_obj(),
		    *targets = json_arr(), *payloads = json_arr();
	struct shard *sh;
	char why[SHARD_WHY_SIZE];
	char id[] = "r1.0", subject[] = "web/x";

	json_put_str(data, "run", "r1");
	json_put_str(data, "account", "web");
	json_put_int(where, "index", c->index);
	json_put_int(where, "of", c->of ? c->of : 1);
	json_put(data, "shard", where);
	json_push(targets, target_json("old", c->url, c->is_lambda));
	json_push(targets, target_json("new", c->url, c->is_lambda));
	json_put(data, "targets", targets);
	json_put_str(work, "executor", "constant-arrival-rate");
	json_put_str(work, "seed", "42");
	json_put_real(work, "rate_per_s", 100);
	json_put_int(work, "spread", 4);
	json_put_int(work, "duration_ms", 20000);
	json_put(data, "workload", work);
	json_push(payloads, payload_json(c));
	json_put(data, "payloads", payloads);
	sh = shard_new(&(struct event){.id = id, .subject = subject, .data = data});
	if (shard_parse(sh, data, why) != 0)
		fail_msg("%s", why);
	json_free(data);
	return sh;
}

/* "path body" of a call. */
static void call_text(struct render *r, size_t i, uint64_t pair, struct buf *out)
{
	render_call(r, i, 0, pair);
	buf_clear(out);
	buf_addf(out, "%s %.*s", buf_str(&r->path), (int)r->payload.len_bytes, r->payload.bytes);
}

static void values_are_of_seed_shard_and_pair(void **state)
{
	static const struct sample sample = {
		.url = "http://h/a/{{row.name}}?n={{random 0 999}}",
		.body = "{\"seq\":{{seq}},\"name\":\"{{row.name}}\",\"n\":{{random 0 999}}}",
		.filling = "json",
	};
	static const struct {
		int index, of;
		uint64_t pair;
		const char *want;
	} cases[] = {
		{0, 1, 0, "/a/a?n=421 {\"seq\":0,\"name\":\"a\",\"n\":355}"},
		{0, 1, 1, "/a/b%20%22c%22?n=293 {\"seq\":1,\"name\":\"b \\\"c\\\"\",\"n\":645}"},
		{0, 1, 5, "/a/d?n=440 {\"seq\":5,\"name\":\"d\",\"n\":941}"},
		{1, 3, 1, "/a/b%20%22c%22?n=829 {\"seq\":4,\"name\":\"b \\\"c\\\"\",\"n\":490}"},
		{2, 3, 0, "/a/d?n=955 {\"seq\":2,\"name\":\"d\",\"n\":861}"},
	};
	struct buf old = BUF_INIT(4096), new = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sample c = sample;
		struct shard *sh;
		struct render r;
		char why[SHARD_WHY_SIZE];

		c.index = cases[i].index;
		c.of = cases[i].of;
		sh = make_shard(&c);
		if (render_init(&r, sh, folder, why) != 0)
			fail_msg("%s", why);
		assert_true(render_is_needed(&r, 0, 0));
		call_text(&r, 0, cases[i].pair, &old);
		call_text(&r, 1, cases[i].pair, &new);
		assert_string_equal(buf_str(&old), buf_str(&new));
		assert_string_equal(buf_str(&old), cases[i].want);
		render_release(&r);
		shard_free(sh);
	}
	buf_release(&old);
	buf_release(&new);
}

static void rows_in_random_order_are_all_used(void **state)
{
	static const struct sample sample = {.url = "http://h/{{row.id}}", .order = "random"};
	struct shard *sh = make_shard(&sample);
	char why[SHARD_WHY_SIZE];
	unsigned seen[3] = {0};
	struct render r;

	(void)state;
	assert_int_equal(render_init(&r, sh, folder, why), 0);
	for (uint64_t pair = 0; pair < 3000; pair++) {
		render_call(&r, 0, 0, pair);
		assert_int_equal(r.path.len_bytes, 3);
		seen[r.path.data[2] - '0']++;
		assert_int_equal(r.payload.len_bytes, 0);
	}
	for (size_t i = 0; i < 3; i++)
		assert_in_range(seen[i], 900, 1100);
	render_release(&r);
	shard_free(sh);
}

static void what_cannot_be_filled_in_is_refused(void **state)
{
	static const struct {
		struct sample sample;
		const char *why;
	} cases[] = {
		{{.url = "http://h/{{row.idd}}"}, "file rows.csv: it has no column \"idd\""},
		{{.url = "http://h/{{sequence}}"}, "the url, byte 1: unknown placeholder sequence"},
		{{.url = "http://h/a b{{seq}}"}, "the url holds a blank"},
		{{.url = "http://h/{{seq}}#x"}, "the url holds a blank, a #"},
		{{.url = "http://h/", .body = "{{", .filling = "text"},
		 "the payload, byte 0: {{ with"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct shard *sh = make_shard(&cases[i].sample);
		char why[SHARD_WHY_SIZE] = "";
		struct render r;

		assert_int_not_equal(render_init(&r, sh, folder, why), 0);
		if (strncmp(why, cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("%s", why);
		render_release(&r);
		shard_free(sh);
	}
}

/* The same calls come out in the same order, prepared ahead or not, with the same bytes. */
static void requests_are_ready_before_they_are_due(void **state)
{
	static const struct sample sample = {
		.url = "http://h/{{row.id}}", .body = "{{seq}} {{uuid}}", .filling = "text"};
	static const uint8_t index_of[VARIANT_COUNT] = {0, 1};
	struct shard *sh = make_shard(&sample);
	struct schedule plain, s;
	struct lanes lanes;
	struct ahead a;
	char why[SHARD_WHY_SIZE];
	struct place want, place;
	struct prepared *ready, *used[64];
	size_t count = 0, prepared = 0;

	(void)state;
	assert_int_equal(schedule_init(&s, &sh->workload, why), 0);
	assert_int_equal(schedule_init(&plain, &sh->workload, why), 0);
	assert_int_equal(lanes_init(&lanes, sh, NULL, folder, why), 0);
	ahead_init(&a, &s, &lanes, index_of);
	assert_true(a.cap >= 1024);
	while (schedule_next(&plain, 0, &want)) {
		struct prepared *now = NULL;

		for (int i = 0; count % 3 && i < 5; i++) /* at times nothing is prepared */
			(void)ahead_step(&a, place.due_ns);
		assert_true(ahead_next(&a, &place, &ready));
		assert_true(place.due_ns == want.due_ns && place.seq == want.seq &&
			    place.pair == want.pair && place.variant == want.variant);
		prepared += ready != NULL;
		assert_int_equal(
			ahead_request(&a, &place, wall_from_s(1440938160), ready, &now, why), 0);
		assert_int_equal(lanes_get(&lanes, index_of[place.variant], &place,
					   wall_from_s(1440938160), &used[0], why),
				 0);
		assert_true(now != used[0]);
		assert_string_equal(buf_str(&now->bytes), buf_str(&used[0]->bytes));
		lanes_put(now);
		lanes_put(used[0]);
		count++;
	}
	assert_false(ahead_next(&a, &place, &ready));
	assert_false(ahead_step(&a, 0));
	assert_int_equal(count, s.due_total);
	assert_true(prepared > count / 2);
	assert_int_equal(a.late, count - prepared);
	ahead_release(&a);
	lanes_release(&lanes);
	schedule_release(&s);
	schedule_release(&plain);
	shard_free(sh);
}

static void the_ring_is_bounded_and_given_back(void **state)
{
	static const struct sample sample = {.url = "http://h/{{seq}}"};
	static const uint8_t index_of[VARIANT_COUNT] = {0, 1};
	struct shard *sh = make_shard(&sample);
	struct schedule s;
	struct lanes lanes;
	struct ahead a;
	char why[SHARD_WHY_SIZE];
	uint32_t steps = 0;

	(void)state;
	assert_int_equal(schedule_init(&s, &sh->workload, why), 0);
	assert_int_equal(lanes_init(&lanes, sh, NULL, folder, why), 0);
	ahead_init(&a, &s, &lanes, index_of);
	while (ahead_step(&a, 0))
		steps++;
	assert_in_range(steps, 200, 216); /* two seconds, and the round that was begun */
	while (ahead_step(&a, 15 * NS_PER_S))
		steps++;
	assert_int_equal(steps, a.cap);
	ahead_release(&a); /* all bytes go back: lanes_release() would abort otherwise */
	lanes_release(&lanes);
	schedule_release(&s);
	shard_free(sh);
}

/* Two signatures of a call differ by the keys alone. */
static void new_keys_sign_again_what_is_not_due_yet(void **state)
{
	static const struct sample sample = {
		.url = "http://h/f", .body = "{{seq}}", .filling = "json", .is_lambda = true};
	static const uint8_t index_of[VARIANT_COUNT] = {0, 1};
	static char id[] = "AKIA1", secret[] = "s";
	struct shard *sh = make_shard(&sample);
	struct session session = {.generation = 1,
				  .creds = {.access_key_id = id, .secret_access_key = secret}};
	struct schedule s;
	struct lanes lanes;
	struct ahead a;
	char why[SHARD_WHY_SIZE];
	struct place place;
	struct prepared *ready, *now;
	uint32_t steps = 0;

	(void)state;
	assert_int_equal(schedule_init(&s, &sh->workload, why), 0);
	assert_int_equal(lanes_init(&lanes, sh, &session, folder, why), 0);
	ahead_init(&a, &s, &lanes, index_of);
	for (int i = 0; i < 10; i++)
		assert_true(ahead_step(&a, 0));
	id[4] = '2';
	session.generation = 2;
	assert_true(ahead_next(&a, &place, &ready)); /* one that nobody had time to sign again */
	assert_int_equal(ahead_request(&a, &place, wall_from_s(1), ready, &now, why), 0);
	assert_non_null(strstr(buf_str(&now->bytes), "Credential=AKIA2/"));
	assert_int_equal(a.late, 1);
	lanes_put(now);
	for (int i = 0; i < 9; i++)
		assert_true(ahead_step(&a, 0));
	assert_int_equal(a.count, 9);
	for (; steps < 9; steps++) {
		assert_true(ahead_next(&a, &place, &ready));
		assert_non_null(strstr(buf_str(&ready->bytes), "Credential=AKIA2/"));
		assert_int_equal(ahead_request(&a, &place, wall_from_s(1), ready, &now, why), 0);
		assert_ptr_equal(now, ready);
		lanes_put(now);
	}
	assert_int_equal(a.late, 1);
	ahead_release(&a);
	lanes_release(&lanes);
	schedule_release(&s);
	shard_free(sh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_of_seed_shard_and_pair),
		cmocka_unit_test(rows_in_random_order_are_all_used),
		cmocka_unit_test(what_cannot_be_filled_in_is_refused),
		cmocka_unit_test(requests_are_ready_before_they_are_due),
		cmocka_unit_test(the_ring_is_bounded_and_given_back),
		cmocka_unit_test(new_keys_sign_again_what_is_not_due_yet),
	};

	return cmocka_run_group_tests(tests, make_rows, remove_rows);
}
