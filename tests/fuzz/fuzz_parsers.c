/*
 * fuzz_parsers - feeds broken input to everything of ours that reads what others wrote.
 *
 *	fuzz_parsers SECONDS [SEED] [TARGET]
 *
 * Seeds are mutated (bytes flipped, cut, doubled, spliced with other seeds, numbers made extreme)
 * and given to each target in turn, under ASan and UBSan (`make fuzz`). Besides not crashing, a
 * target holds its own promise: what was parsed and written parses again to the same; an answer
 * cut into pieces gives the same result as whole. Equal seeds give equal runs.
 *
 * DIAGNOSTICS
 *	A finding ends the process; the input stands in fuzz.input in the current folder.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/aws/answer.h"
#include "common/aws/creds.h"
#include "common/aws/ini.h"
#include "common/aws/lambda.h"
#include "common/aws/sigv4.h"
#include "common/aws/xml.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/base/unit.h"
#include "common/bus/allow.h"
#include "common/bus/pack.h"
#include "common/config/config.h"
#include "common/engine/http1.h"
#include "common/event/event.h"
#include "common/json/json.h"
#include "common/measure/calls.h"
#include "common/measure/trace.h"
#include "common/stats/hdr.h"
#include "common/stats/hlog.h"
#include "common/template/csv.h"
#include "common/template/template.h"
#include "common/work/wire.h"

#define INPUT_MAX_BYTES 8192

static void must(bool is_true, const char *what)
{
	if (is_true)
		return;
	fprintf(stderr, "broken promise: %s\n", what);
	abort();
}

static void one_json(const char *in, size_t len_bytes, struct rng *r)
{
	struct buf first = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20);
	struct json *v = NULL, *w = NULL;

	(void)r;
	if (json_parse(in, len_bytes, INPUT_MAX_BYTES, &v, NULL) == 0) {
		json_write(v, &first);
		must(json_parse(first.data, first.len_bytes, 1 << 20, &w, NULL) == 0,
		     "what json_write wrote is JSON");
		json_write(w, &again);
		must(strcmp(buf_str(&first), buf_str(&again)) == 0, "written twice is equal");
	}
	json_free(v);
	json_free(w);
	buf_release(&first);
	buf_release(&again);
}

static void one_event(const char *in, size_t len_bytes, struct rng *r)
{
	char why[EVENT_WHY_SIZE] = "";
	struct event ev;

	(void)r;
	if (event_parse(in, len_bytes, &ev, why) != 0) {
		must(why[0] != '\0', "a refused event has a reason");
		return;
	}
	must(ev.id && ev.type && ev.source && ev.line_bytes == len_bytes, "an event is whole");
	event_release(&ev);
}

static void one_config(const char *in, size_t len_bytes, struct rng *r)
{
	struct config_errors errs = {0};
	struct config *c = NULL;

	(void)r;
	if (config_parse("fuzz.yaml", in, len_bytes, &c, &errs) == 0)
		must(errs.count == 0, "a good configuration has no mistakes");
	else
		must(errs.count > 0, "a refused configuration has a mistake");
	config_free(c);
	config_errors_release(&errs);
}

static enum http1_state feed_in_pieces(struct http1 *a, const char *in, size_t len_bytes,
				       struct rng *r, size_t most_bytes)
{
	enum http1_state s = HTTP1_MORE;
	size_t at = 0, used;

	http1_begin(a, false, 1000);
	while (at < len_bytes && s == HTTP1_MORE) {
		size_t piece = 1 + (size_t)rng_below(r, most_bytes);

		if (piece > len_bytes - at)
			piece = len_bytes - at;
		s = http1_feed(a, in + at, piece, &used);
		must(used <= piece, "no more is used than was given");
		at += used;
	}
	return s == HTTP1_MORE ? http1_eof(a) : s;
}

static void one_http1(const char *in, size_t len_bytes, struct rng *r)
{
	struct http1 whole, pieces;
	enum http1_state a, b;

	http1_init(&whole);
	http1_init(&pieces);
	a = feed_in_pieces(&whole, in, len_bytes, &(struct rng){1}, 1 << 20);
	b = feed_in_pieces(&pieces, in, len_bytes, r, 7);
	must(a == b, "pieces end like the whole");
	if (a == HTTP1_DONE) {
		must(whole.response.status == pieces.response.status,
		     "pieces give the same status");
		must(whole.response.body_total_bytes == pieces.response.body_total_bytes,
		     "and the same length");
		must(strcmp(buf_str(&whole.response.body), buf_str(&pieces.response.body)) == 0,
		     "and body");
		must(whole.is_keep_alive == pieces.is_keep_alive, "and the same end");
	}
	http1_release(&whole);
	http1_release(&pieces);
}

static void one_hdr(const char *in, size_t len_bytes, struct rng *r)
{
	struct buf out = BUF_INIT(1 << 22);
	struct hdr *h = NULL, *again = NULL;

	(void)r;
	if (hdr_decode_any(in, len_bytes, &h) == 0) {
		hdr_encode(h, &out);
		must(hdr_decode_any(out.data, out.len_bytes, &again) == 0, "it reads its own");
		must(hdr_count(h) == hdr_count(again), "and the same count");
		must(hdr_percentile(h, 50) == hdr_percentile(again, 50), "and median");
	}
	hdr_free(h);
	hdr_free(again);
	buf_release(&out);
}

static void one_hlog(const char *in, size_t len_bytes, struct rng *r)
{
	struct hlog_entry e = {0};

	(void)r;
	if (hlog_parse(in, len_bytes, &e) == 0)
		must((e.kind == HLOG_INTERVAL) == (e.hist != NULL), "an interval has a histogram");
	hlog_release(&e);
}

static void one_trace(const char *in, size_t len_bytes, struct rng *r)
{
	double speed = 0.5 + rng_unit(r), rate = 0.1 + 2 * rng_unit(r);
	char why[TRACE_WHY_SIZE];
	struct trace t;
	int64_t before_ns = 0;

	if (trace_parse(in, len_bytes, &t, why) != 0)
		return;
	must(t.count > 0 && t.offsets_ns[0] == 0, "a trace begins at 0");
	for (size_t i = 0, entry; i < trace_calls(&t, rate); i++) {
		int64_t due_ns = trace_due_ns(&t, speed, rate, i, &entry);

		must(due_ns >= before_ns && entry < t.count, "and goes on");
		before_ns = due_ns;
	}
	trace_release(&t);
}

static void one_calls(const char *in, size_t len_bytes, struct rng *r)
{
	struct calls calls = CALLS_INIT;

	(void)r;
	if (calls_decode(in, len_bytes, &calls) == 0)
		calls_release(&calls);
}

static void one_creds(const char *in, size_t len_bytes, struct rng *r)
{
	struct aws_creds creds = {0};
	char why[160] = "";

	(void)r;
	if (aws_creds_parse_process(in, len_bytes, &creds, why) == 0)
		aws_creds_release(&creds);
	else
		must(why[0] != '\0', "refused credentials have a reason");
}

static void one_ini(const char *in, size_t len_bytes, struct rng *r)
{
	char why[INI_WHY_SIZE] = "";
	struct ini *f;

	(void)r;
	if (ini_parse(in, len_bytes, &f, why) != 0) {
		must(strncmp(why, "line ", 5) == 0, "a refused file names the line");
		return;
	}
	(void)ini_get(f, "profile a b", "region");
	ini_free(f);
}

static void one_xml(const char *in, size_t len_bytes, struct rng *r)
{
	struct buf out = BUF_INIT(64);

	(void)r;
	if (xml_text(in, len_bytes, "Code", &out) == 0)
		must(out.len_bytes <= len_bytes, "decoding adds nothing");
	buf_release(&out);
}

/* The first line is the head, the rest the body of a refusal. */
static void one_answer(const char *in, size_t len_bytes, struct rng *r)
{
	struct answer_context ctx = {.what = "call", .permission = "p", .host = "http://h"};
	struct http_response answer = {.status = 400 + (int)rng_below(r, 200),
				       .head = BUF_INIT(INPUT_MAX_BYTES + 1),
				       .body = BUF_INIT(INPUT_MAX_BYTES + 1)};
	const char *newline = memchr(in, '\n', len_bytes);
	size_t head_bytes = newline ? (size_t)(newline - in) + 1 : 0;
	struct aws_error err;

	buf_add(&answer.head, in, head_bytes);
	buf_add(&answer.body, in + head_bytes, len_bytes - head_bytes);
	must(answer_refused(&answer, &ctx, &err) < 0 && err.fault != AWS_FINE, "it is an error");
	must(strncmp(err.text, "cannot call at http://h: HTTP ", 30) == 0, "and says what");
	http_response_release(&answer);
}

static void one_function(const char *in, size_t len_bytes, struct rng *r)
{
	struct lambda_function f;
	struct json *v = NULL;

	(void)r;
	if (json_parse(in, len_bytes, INPUT_MAX_BYTES, &v, NULL) == 0 &&
	    lambda_function_parse(v, &f) == 0) {
		must(f.name && f.arn && f.version, "a function has names");
		lambda_function_release(&f);
	}
	json_free(v);
}

/* The canonical query of a canonical query is itself: the third line of the text signed. */
static void one_signature(const char *in, size_t len_bytes, struct rng *r)
{
	static const struct http_header host = {"Host", "h"};
	struct sigv4_signer s = {
		.region = "r", .service = "lambda", .creds = {"AK", "secret", "token"}};
	struct sigv4_result first = {0}, again = {0};
	char *path = strndup(in, len_bytes), *query = path + strcspn(path, "?"), *canonical;
	struct sigv4_request req = {
		.method = "GET", .path = path, .headers = &host, .header_count = 1};
	struct wall at = {(int64_t)rng_below(r, UINT64_C(1) << 60)};

	if (*query)
		*query++ = '\0';
	req.query = query;
	if (sigv4_sign(&s, &req, at, &first) == 0) {
		canonical = strchr(strchr(first.canonical.data, '\n') + 1, '\n') + 1;
		req.query = canonical = strndup(canonical, strcspn(canonical, "\n"));
		must(sigv4_sign(&s, &req, at, &again) == 0, "a canonical query can be signed");
		must(!strcmp(first.signature, again.signature), "and is its own");
		free(canonical);
	}
	sigv4_result_release(&first);
	sigv4_result_release(&again);
	sigv4_signer_release(&s);
	free(path);
}

static void one_unit(const char *in, size_t len_bytes, struct rng *r)
{
	char *text = strndup(in, len_bytes);
	uint64_t u;
	int64_t i;
	double d;
	int sum = 0;

	(void)r;
	sum += unit_parse_u64(text, &u) + unit_parse_i64(text, &i) + unit_parse_double(text, &d);
	sum += unit_parse_duration_ns(text, &i) + unit_parse_duration_ms(text, &i);
	sum += unit_parse_rate(text, &d) + unit_parse_size(text, &u) + unit_parse_money(text, &i);
	sum += unit_parse_ratio(text, &d) + unit_parse_points(text, &d);
	must(sum <= 0, "0 or a negative errno");
	free(text);
}

/* Seeds of one target; NULL ends them. */
static const char *const json_seeds[] = {
	"{\"a\":[1,2.5,-3e9,true,null,\"\\u00e9\\ud83d\\ude00x\"],\"b\":{\"c\":[[[]]]}}",
	"[0,-0,1e308,9223372036854775807]", NULL};
static const char *const event_seeds[] = {
	"{\"specversion\":\"1.0\",\"type\":\"plimsoll.measurement.reported.v1\",\"id\":\"m1\","
	"\"source\":\"x\",\"subject\":\"prod/hello\",\"time\":\"2026-11-22T15:00:36.000Z\","
	"\"data\":{\"tool\":\"t\",\"metrics\":[{\"name\":\"n\",\"value\":0.75,\"unit\":\"1\"}]}}",
	"{\"specversion\":\"1.0\",\"type\":\"com.example.other\",\"id\":\"1\",\"source\":\"x\","
	"\"time\":\"2026-11-22T15:00:36Z\",\"data\":{}}",
	NULL};
static const char *const config_seeds[] = {
	"accounts:\n  prod: {provider: aws, region: eu-central-1}\nfunctions:\n  prod/a*: "
	"{payload: "
	"'{}', tests: [t]}\ntests:\n  t:\n    workload: {executor: constant-arrival-rate, rate: "
	"10/s, duration: 5m, spread: 16}\n    when: [code]\nlimits: {cost_per_day: 1 USD}\n",
	"version: 1\nmetrics:\n  gate: {response_p50: {tolerance: 10%}}\nobjectives:\n  prod/*: "
	"[response_p95 < 300ms]\n",
	NULL};
static const char *const http1_seeds[] = {
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Slow\r\nTransfer-Encoding: chunked\r\n\r\n"
	"5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n",
	"HTTP/1.0 204 No\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\n\nuntil the end", NULL};
/* Who may speak on the bus. */
static void one_loaders(const char *in, size_t len_bytes, struct rng *r)
{
	char *text = x_strndup(in, len_bytes), why[200];
	struct bus_list list = {0};
	int rc = bus_list_parse(text, "loaders", &list, why);

	(void)r;
	must(!rc || !list.names.count, "a broken list lets nobody in");
	must(list.names.count == list.keys.count, "a name has one key");
	for (size_t i = 0; i < list.names.count; i++)
		must(bus_name_is_fine(list.names.items[i].key) &&
			     bus_key_is_fine(list.names.items[i].value),
		     "names and keys are what they should be");
	bus_list_release(&list);
	free(text);
}

/* What is unpacked is what was packed. A ~ stands for a NUL, for seeds are text. */
static void one_pack(const char *in, size_t len_bytes, struct rng *r)
{
	char *frame = malloc(len_bytes + 1), *again = malloc(len_bytes + 1);
	struct bus_part parts[BUS_PARTS_MAX];
	size_t count;

	(void)r;
	must(frame && again, "room for a frame");
	for (size_t i = 0; i < len_bytes; i++)
		frame[i] = (char)(in[i] == '~' ? 0 : in[i]);
	if (bus_unpack(frame, len_bytes, parts, &count) == 0) {
		must(bus_packed_bytes(parts, count) == len_bytes, "all of the frame is parts");
		bus_pack(parts, count, again);
		must(!memcmp(frame, again, len_bytes), "there is one way to pack");
	}
	free(frame);
	free(again);
}

/* Lines as the parts of a message. */
static void one_wire(const char *in, size_t len_bytes, struct rng *r)
{
	struct bus_part parts[BUS_PARTS_MAX];
	const char *end = in + len_bytes;
	size_t count = 0;
	struct wire m;

	(void)r;
	for (const char *at = in; at <= end && count < ARRAY_LEN(parts); count++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		stop = stop ? stop : end;
		parts[count] = (struct bus_part){at, (size_t)(stop - at)};
		at = stop + 1;
	}
	if (wire_read(&m, parts, count) == 0)
		for (size_t i = 0; i < m.count; i++)
			must(strlen(m.text[i]) == m.len_bytes[i], "a part is text");
	wire_release(&m);
}

static const char *const hdr_seeds[] = {"HISTFAAAAEV42pNpmSzMwMCgyAABTBDKT4GBgdnNYMcCBvsPEBEJISEuAT"
					"EZMQ4uASkhIR4nrxg9v2lMaxhvMekILGZkKmcC"
					"AEf2CsE=",
					NULL};
static const char *const hlog_seeds[] = {
	"Tag=A,1.134,0.999,2.769,"
	"HISTFAAAAEV42pNpmSzMwMCgyAABTBDKT4GBgdnNYMcCBvsPEBEJISEuATEZMQ4uASkhIR4n"
	"rxg9v2lMaxhvMekILGZkKmcCAEf2CsE=",
	"#[StartTime: 1441812279.474 (seconds since epoch), x]", "#[BaseTime: 0.127]", NULL};
static const char *const calls_seeds[] = {"UExDMQAAAAABAAAA", NULL};
static const char *const creds_seeds[] = {
	"{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\",\"SessionToken\":\"c\","
	"\"Expiration\":\"2026-11-22T15:00:36Z\"}",
	NULL};
static const char *const ini_seeds[] = {
	"# c\n[default]\nregion = x\n[profile \"a b\"]\ns3 =\n  max = 1\n\tb=c\n; d\nk = v",
	"[services s]\nlambda =\n  endpoint_url = http://h\n", NULL};
static const char *const xml_seeds[] = {"<?xml version=\"1.0\"?><!-- c --><E xmlns=\"u\"><a:Code "
					"b=\"1\">x &amp; &#65;</a:Code></E>",
					"<E><![CDATA[<Code>]]><Code/><Code>y</Code></E>", NULL};
static const char *const answer_seeds[] = {
	"x-amzn-ErrorType: a#ThrottlingException:http://h/\n{\"message\":\"Rate exceeded\"}",
	"Retry-After: "
	"7\n<E><Error><Code>SignatureDoesNotMatch</Code><Message>m</Message></Error></E>",
	"\n{\"__type\":\"c.a#ExpiredTokenException\",\"Message\":\"m\"}", NULL};
static const char *const function_seeds[] = {
	"{\"FunctionName\":\"f\",\"FunctionArn\":\"a\",\"MemorySize\":128,\"Timeout\":3,\"Layers\":"
	"[{\"Arn\":\"l\"}],\"Environment\":{\"Variables\":{\"A\":\"1\"}},\"Architectures\":["
	"\"arm64\"],"
	"\"LastModified\":\"2026-11-22T15:00:00.123+0000\",\"LoggingConfig\":{\"LogFormat\":"
	"\"JSON\"}}",
	NULL};
static const char *const signature_seeds[] = {
	"/2015-03-31/functions/arn%3Aaws/../x//y/./z?Qualifier=1&a=&a=b%2f&c",
	"/a b/\xe1\x88\xb4?\xc3\xa9=%zz&&=&x=a+b:c", NULL};
static const char *const loaders_seeds[] = {
	"# who\nl1 rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\nl2 "
	"JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6\n",
	NULL};
static const char *const pack_seeds[] = {"\2~~~~", "\2~~~\3ACK~~~\2ra~~~~~~~\2OK", "\2~~\1~",
					 "\2\xff\xff\xff\xff~~~\1x", NULL};
static const char *const wire_seeds[] = {
	"READY\nn1\n2\n4\n0\nprod,web\n5",
	"READY-ACK\n30000\n5\n1790000000000",
	"WORK\nr1\n0\n7.n\n30000\n0\n0\n{}",
	"BEAT\nr1\n0\n7.n\nn1\n1\n5",
	"BEAT-ACK\nr1\n0\n7.n\nOK\n\n5\n6",
	"FAIL\nr1\n0\n7.n\nn1\n1\nwhy",
	"RESULT\nr1\n0\n7.n\nn1\n"
	"0000000000000000000000000000000000000000000000000000000000000000\n{}",
	"ACK\nr1\n0\n7.n\nOK",
	NULL};
static int any_column(void *ctx, const char *name, size_t len_bytes)
{
	(void)ctx;
	return len_bytes && *name ? 0 : -1;
}

/* What is filled into a JSON string is that text again when it is read. */
static void one_template(const char *in, size_t len_bytes, struct rng *r)
{
	const struct template_cell cell = {in, (uint32_t)len_bytes, false};
	struct template_values v = {.rng = r, .variant = "old", .run = "r", .row = &cell};
	struct json *text = json_new_strn(in, len_bytes), *again = NULL;
	struct buf out = BUF_INIT(1 << 20);
	struct template t = {0};
	struct template_mistake m;
	size_t name_bytes;

	if (template_parse(in, len_bytes, &t, &m) != 0)
		must(m.at_byte <= len_bytes, "a mistake is within the text");
	else if (!template_bind(&t, any_column, NULL, &name_bytes))
		template_fill(&t, &v, TEMPLATE_URL, &out);
	template_release(&t);
	buf_clear(&out);
	must(template_parse("{{json row.x}}", 14, &t, &m) == 0, "a column as JSON");
	template_fill(&t, &v, TEMPLATE_PLAIN, &out);
	if (json_str(text) && !memchr(in, 0, len_bytes)) { /* our reader refuses NUL */
		must(json_parse(buf_str(&out), out.len_bytes, 1 << 20, &again, NULL) == 0 &&
			     json_is_equal(text, again),
		     "a text as JSON reads as that text");
		json_free(again);
	}
	json_free(text);
	template_release(&t);
	buf_release(&out);
}

static void one_csv(const char *in, size_t len_bytes, struct rng *r)
{
	char *room = x_calloc(len_bytes + 1, 1);
	size_t n, sum = 0;
	bool is_last;
	struct csv c;

	(void)r;
	csv_begin(&c, in, len_bytes);
	while (csv_field(&c, room, &n, &is_last) == 1)
		sum += n;
	must(sum <= len_bytes, "fields are no longer than the text");
	free(room);
}

static const char *const template_seeds[] = {
	"{\"a\": {{seq}}, \"b\": \"{{row.x y}}\", \"c\": {{json row.z}}}",
	"/{{uuid}}/{{random -5 99}}?v={{ variant }}&{{run}}{{open}}", NULL};
static const char *const trace_seeds[] = {"offset_ms,payload\r\n0.5,1\n12,0\n# x\n12.25,65535\n",
					  "1763800000.000000001\n1763800001.5\n\n1763900000\n",
					  NULL};
static const char *const csv_seeds[] = {"id,name\r\n1,\"a,\"\"b\"\"\"\r\n2,\"x\ny\"\n",
					"\xef\xbb\xbf"
					"a\n\n,\n\"\"",
					NULL};
static const char *const unit_seeds[] = {"30s",	  "1h5m", "10/s",  "1 USD", "0.5pp",
					 "64KiB", "10%",  "1e308", "-1",    NULL};

static const struct target {
	const char *name;
	void (*one)(const char *in, size_t len_bytes, struct rng *r);
	const char *const *seeds;
} targets[] = {
	{"json", one_json, json_seeds},
	{"event", one_event, event_seeds},
	{"config", one_config, config_seeds},
	{"http1", one_http1, http1_seeds},
	{"hdr", one_hdr, hdr_seeds},
	{"hlog", one_hlog, hlog_seeds},
	{"calls", one_calls, calls_seeds},
	{"creds", one_creds, creds_seeds},
	{"unit", one_unit, unit_seeds},
	{"ini", one_ini, ini_seeds},
	{"xml", one_xml, xml_seeds},
	{"answer", one_answer, answer_seeds},
	{"function", one_function, function_seeds},
	{"signature", one_signature, signature_seeds},
	{"loaders", one_loaders, loaders_seeds},
	{"pack", one_pack, pack_seeds},
	{"wire", one_wire, wire_seeds},
	{"template", one_template, template_seeds},
	{"csv", one_csv, csv_seeds},
	{"trace", one_trace, trace_seeds},
};
#define TARGET_COUNT (sizeof(targets) / sizeof(targets[0]))

static const char *pick(const struct target *t, struct rng *r)
{
	size_t count = 0;

	while (t->seeds[count])
		count++;
	return t->seeds[rng_below(r, count)];
}

static void mutate(char *in, size_t *len_bytes, const struct target *t, struct rng *r)
{
	static const char *const odd[] = {"-1",	   "4294967296", "9223372036854775808",
					  "1e999", "\"",	 "{",
					  "}",	   "[",		 "\r\n",
					  "\n",	   ":",		 " ",
					  "\xff",  "\\u0000",	 "&a",
					  "*a",	   "<<",	 "%",
					  "0x",	   ","};
	size_t at = *len_bytes ? (size_t)rng_below(r, *len_bytes) : 0;
	const char *add =
		rng_below(r, 4) ? odd[rng_below(r, sizeof(odd) / sizeof(odd[0]))] : pick(t, r);
	size_t add_bytes = strlen(add), cut;

	switch (rng_below(r, 5)) {
	case 0:
		if (*len_bytes)
			in[at] = (char)rng_below(r, 256);
		break;
	case 1:
		*len_bytes = at;
		break;
	case 2: /* cut a piece out */
		cut = (size_t)rng_below(r, *len_bytes - at + 1);
		memmove(in + at, in + at + cut, *len_bytes - at - cut);
		*len_bytes -= cut;
		break;
	default:
		if (*len_bytes + add_bytes > INPUT_MAX_BYTES)
			break;
		memmove(in + at + add_bytes, in + at, *len_bytes - at);
		memcpy(in + at, add, add_bytes);
		*len_bytes += add_bytes;
	}
}

/* Kept before each try, so that a crash leaves it. */
static void keep(const char *in, size_t len_bytes)
{
	static FILE *f;

	if (!f)
		f = fopen("fuzz.input", "w");
	if (!f)
		return;
	rewind(f);
	fwrite(in, 1, len_bytes, f);
	fflush(f);
	if (ftruncate(fileno(f), (off_t)len_bytes))
		abort();
}

static void try_one(const struct target *t, struct rng *r)
{
	const char *seed = pick(t, r);
	size_t len_bytes = strlen(seed);
	char *in = malloc(INPUT_MAX_BYTES), *exact;

	must(in && len_bytes <= INPUT_MAX_BYTES, "room for a seed");
	memcpy(in, seed, len_bytes);
	for (uint64_t n = rng_below(r, 6); n > 0; n--)
		mutate(in, &len_bytes, t, r);
	/* Its own block of that size: a read past the end is seen. */
	exact = malloc(len_bytes ? len_bytes : 1);
	must(exact, "memory");
	memcpy(exact, in, len_bytes);
	keep(in, len_bytes);
	t->one(exact, len_bytes, r);
	free(exact);
	free(in);
}

int main(int argc, char **argv)
{
	uint64_t seconds = 10, seed = 1, tries = 0;
	const char *only = argc > 3 ? argv[3] : NULL;
	struct mono start = mono_now();
	struct rng r;

	if ((argc > 1 && unit_parse_u64(argv[1], &seconds)) ||
	    (argc > 2 && unit_parse_u64(argv[2], &seed)))
		return 100;
	r.state = seed;
	while (mono_diff_ns(mono_now(), start) < (int64_t)seconds * 1000000000) {
		const struct target *t = &targets[tries++ % TARGET_COUNT];

		if (!only || strcmp(only, t->name) == 0)
			try_one(t, &r);
	}
	printf("%llu tries, nothing found\n", (unsigned long long)tries);
	return 0;
}
