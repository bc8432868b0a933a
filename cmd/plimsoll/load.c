/* plimsoll load: the engine as a load tool of its own, on a URL or a function. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/plimsoll/ask.h"
#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/load_report.h"
#include "cmd/plimsoll/load_scenario.h"
#include "cmd/plimsoll/load_verdict.h"
#include "cmd/plimsoll/paths.h"
#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/base/table.h"
#include "common/base/unit.h"

#define URL_RATE_PER_S 50 /* without a word about how much: what no server notices */
#define FUNCTION_RATE_PER_S 10
#define REPORT_MAX_BYTES (4u * 1024u * 1024u)

struct load_opts {
	struct load_ask ask;
	struct load_call call;
	struct load_want want;
	const char *hdr, *csv, *scenario;
	bool is_json, is_quiet;
};

#define ROW(field) offsetof(struct load_opts, field)
static const struct opt rows[] = {
	{"rate", 'r', OPT_STRING, ROW(ask.rate), "RATE", NULL,
	 "open model: calls a second, whether or not the answers keep up; 1000/s, 300/m"},
	{"vus", 'u', OPT_COUNT, ROW(ask.vus), "N", NULL,
	 "closed model: so many users, each calling again when it has its answer"},
	{"duration", 't', OPT_SPAN_MS, ROW(ask.duration_ms), "TIME", NULL,
	 "how long; else 10s, or as long as --requests take"},
	{"requests", 'n', OPT_COUNT, ROW(ask.requests), "N", NULL, "how many calls in all"},
	{"connections", 0, OPT_COUNT, ROW(ask.connections), "N", NULL,
	 "opens so many before the start, and no more; else one a user, or as the calls need them"},
	{"timeout", 0, OPT_SPAN_MS, ROW(ask.timeout_ms), "TIME", NULL,
	 "of one call, from when it was due; else 10s"},
	{"warmup", 0, OPT_DURATION_MS, ROW(ask.warmup_ms), "TIME", NULL,
	 "load before the measurement, which is not measured"},
	{"executor", 0, OPT_STRING, ROW(ask.executor), "NAME", NULL,
	 "k6's name; else from the options that are given"},
	{"stages", 0, OPT_STRING, ROW(ask.stages), "TIME:TARGET,...", NULL,
	 "a load that changes: 30s:100/s,1m:100/s,10s:0 (users with --executor ramping-vus)"},
	{"shape", 0, OPT_STRING, ROW(ask.shape), "NAME", NULL,
	 "increasing, triangle, spike or random, with --rate or --vus as its peak"},
	{"replay", 0, OPT_STRING, ROW(ask.replay), "FILE", NULL,
	 "a recorded trace: CSV of offset_s and, if it likes, which --data (from 0)"},
	{"speed", 0, OPT_STRING, ROW(ask.speed), "X", NULL, "replays so many times as fast; 1"},
	{"times", 0, OPT_STRING, ROW(ask.times), "X", NULL,
	 "replays so many times as many calls; 1"},
	{"start-rate", 0, OPT_STRING, ROW(ask.start_rate), "RATE", NULL,
	 "where the first stage begins; else 0, a tenth of the peak of a shape"},
	{"start-vus", 0, OPT_COUNT, ROW(ask.start_vus), "N", NULL, "likewise; else 1"},
	{"scenario", 0, OPT_STRING, ROW(scenario), "FILE", NULL,
	 "YAML with scenarios: as k6 has them, instead of the options above; all side by side"},
	{"arrival", 0, OPT_STRING, ROW(ask.arrival), "KIND", NULL,
	 "uniform, or poisson as independent users arrive"},
	{"processes", 'p', OPT_STRING, ROW(ask.processes), "N|auto", NULL,
	 "loaders that share the load; auto: one a core but one"},
	{"spin", 0, OPT_STRING, ROW(ask.spin), "TIME", NULL,
	 "stay awake that long before a call is due, such as 50us: exact send times, more CPU"},
	{"batch", 0, OPT_STRING, ROW(ask.batch), "TIME", NULL,
	 "calls may leave so much late, together, for less CPU; else 800us from 10000/s a process "
	 "on, 200us from 256 users on; 0s: never"},
	{"seed", 0, OPT_STRING, ROW(ask.seed), "N", NULL, "the same seed gives the same schedule"},
	{"method", 'X', OPT_STRING, ROW(call.method), "METHOD", NULL,
	 "else GET, or POST with data"},
	{"data", 'd', OPT_LIST, ROW(call.data), "TEXT|@FILE", NULL,
	 "what is sent; of several each call takes one at random, or as --replay says"},
	{"data-file", 0, OPT_LIST, ROW(call.data_files), "FILE", NULL, "the same from files"},
	{"template", 0, OPT_FLAG, ROW(call.has_templates), NULL, NULL,
	 "data, and path and query of the URL, hold placeholders: {{seq}}, {{uuid}}, {{random 1 "
	 "9}}, {{row.COLUMN}}"},
	{"rows", 0, OPT_STRING, ROW(call.rows), "FILE", NULL,
	 "CSV or NDJSON with the values of {{row.COLUMN}}; a row for each call"},
	{"rows-order", 0, OPT_STRING, ROW(call.rows_order), "ORDER", NULL,
	 "in-order (else), or random"},
	{"header", 'H', OPT_LIST, ROW(call.headers), "NAME: VALUE|@FILE", NULL,
	 "may be repeated; @FILE has one a line and keeps secrets off the command line"},
	{"http", 0, OPT_STRING, ROW(call.http_version), "1.1|2|auto", NULL,
	 "else 1.1; auto: what the server chooses of both"},
	{"streams", 0, OPT_COUNT, ROW(ask.streams), "N", NULL,
	 "HTTP/2: at most so many calls at once on a connection"},
	{"unix-socket", 0, OPT_STRING, ROW(call.unix_socket), "FILE", NULL,
	 "connects to it instead of the URL's host"},
	{"cacert", 0, OPT_STRING, ROW(call.ca_file), "FILE", NULL,
	 "certificates to trust instead of the system's"},
	{"cert", 0, OPT_STRING, ROW(call.cert_file), "FILE", NULL,
	 "our certificate, for a server that asks for one; PEM"},
	{"key", 0, OPT_STRING, ROW(call.key_file), "FILE", NULL, "its private key; PEM"},
	{"expect-status", 0, OPT_STRING, ROW(call.expect.status), "STATUS", NULL,
	 "what is ok: 200, 2xx, or a list 200,404; else any 2xx"},
	{"expect-body", 0, OPT_STRING, ROW(call.expect.body), "TEXT", NULL,
	 "what the body of an answer that is ok holds"},
	{"expect-body-bytes", 0, OPT_STRING, ROW(call.expect.body_bytes), "N|MIN-MAX", NULL,
	 "how long it is"},
	{"expect-header", 0, OPT_LIST, ROW(call.expect.headers), "NAME[: VALUE]", NULL,
	 "a header that is there, or has this value; may be repeated"},
	{"expect-json", 0, OPT_LIST, ROW(call.expect.json), "/POINTER=VALUE", NULL,
	 "what stands at a JSON pointer of the body: a text, number, true, false or null"},
	{"qualifier", 0, OPT_STRING, ROW(call.qualifier), "Q", NULL,
	 "version or alias of a function; else its rule's, or $LATEST"},
	{"max-p50", 0, OPT_SPAN_NS, ROW(want.max_p50_ns), "TIME", NULL,
	 "exit 1 when the response time is above it"},
	{"max-p95", 0, OPT_SPAN_NS, ROW(want.max_p95_ns), "TIME", NULL, "likewise"},
	{"max-p99", 0, OPT_SPAN_NS, ROW(want.max_p99_ns), "TIME", NULL, "likewise"},
	{"max-error-ratio", 0, OPT_STRING, ROW(want.max_error_ratio), "RATIO", NULL,
	 "exit 1 when a larger share of the calls was not ok; 1% or 0.01"},
	{"json", 0, OPT_FLAG, ROW(is_json), NULL, NULL, "the result as one JSON object"},
	{"hdr", 0, OPT_STRING, ROW(hdr), "FILE", NULL,
	 "writes the histograms as an HdrHistogram log (plimsoll hist reads it)"},
	{"csv", 0, OPT_STRING, ROW(csv), "FILE", NULL, "writes a line for each second"},
	{"quiet", 'q', OPT_FLAG, ROW(is_quiet), NULL, NULL, "no talk before and while it runs"},
};
#undef ROW

static enum exit_code told(struct buf *why)
{
	log_error("%s", buf_str(why));
	return EXIT_USAGE;
}

/* ---- telling ---- */

/* What would say how much twice. */
static bool says_how_much(const struct load_ask *a)
{
	return a->rate || a->vus || a->duration_ms || a->requests || a->stages || a->replay ||
	       a->shape || a->executor || a->start_rate || a->start_vus || a->arrival ||
	       a->warmup_ms;
}

static void tell_plan(const struct load_opts *o, const struct load_plan *p,
		      const struct load_target *t)
{
	struct buf text = BUF_INIT(4096);

	if (o->is_quiet)
		return;
	for (size_t i = 0; i < p->work_count; i++) {
		buf_addf(&text, "%s: ", p->work_count > 1 ? p->works[i].name : t->authority);
		load_describe(&p->works[i], &text);
		log_info("%s", buf_str(&text));
		buf_clear(&text);
	}
	if (p->processes > 1)
		log_info("%u loaders share it", p->processes);
	if (!o->scenario && !says_how_much(&o->ask))
		log_info("more: --rate 1000/s --duration 1m (open model), --vus 64 (closed model); "
			 "--help has all");
	buf_release(&text);
}

static int write_file(const char *path, const struct buf *text)
{
	int rc = buf_is_over(text) ? -E2BIG
				   : fs_write_atomic(path, buf_str(text), text->len_bytes, 0644);

	if (rc)
		log_error("cannot write %s: %s", path, strerror(-rc));
	return rc;
}

static enum exit_code tell_result(const struct load_opts *o, const struct load_report *rep)
{
	struct buf text = BUF_INIT(REPORT_MAX_BYTES);
	enum exit_code code = EXIT_FINE;
	struct json *whole;

	if (!rep->run->total.due && rep->run->total.failed)
		log_error("%s", rep->run->total.failure);
	if (o->is_json) {
		whole = load_report_json(rep);
		json_write(whole, &text);
		buf_addc(&text, '\n');
		json_free(whole);
	} else if (rep->run->total.due) {
		load_report_text(rep, &text);
		text_tame(&text);
	}
	fwrite(buf_str(&text), 1, text.len_bytes, stdout);
	buf_clear(&text);
	if (o->hdr) {
		load_report_hdr(rep, &text);
		code = write_file(o->hdr, &text) ? EXIT_AGAIN : EXIT_FINE;
	}
	buf_release(&text);
	return code;
}

/* ---- running ---- */

static enum exit_code run_and_tell(const struct load_opts *o, struct load_run *r,
				   struct load_limits *l)
{
	struct load_report rep = {.run = r, .limits = l->items, .limit_count = l->count};
	enum exit_code code;

	tell_plan(o, r->plan, r->target);
	code = load_run(r);
	if (r->total.shards) {
		load_limits_judge(l, &r->total);
		code = exit_code_worse(code, tell_result(o, &rep));
		if (code == EXIT_FINE || r->was_cancelled)
			code = load_verdict(r, l);
	}
	return r->was_cancelled ? EXIT_CANCELLED : code;
}

static enum exit_code with_csv(const struct load_opts *o, struct load_run *r, struct load_limits *l)
{
	enum exit_code code;

	r->live.is_shown = !o->is_quiet && isatty(STDERR_FILENO);
	if (!o->csv)
		return run_and_tell(o, r, l);
	r->live.csv = fopen(o->csv, "we");
	if (!r->live.csv) {
		log_error("cannot write %s: %s", o->csv, strerror(errno));
		return EXIT_USAGE;
	}
	setvbuf(r->live.csv, NULL, _IOLBF, 0); /* for tail -f */
	fputs("seconds,scenario,process,due,ok,not_ok,in_flight,p50_us,p95_us\n", r->live.csv);
	code = run_and_tell(o, r, l);
	if (fclose(r->live.csv)) {
		log_error("cannot write %s: %s", o->csv, strerror(errno));
		code = exit_code_worse(code, EXIT_AGAIN);
	}
	return code;
}

static bool is_paused(const struct door *d)
{
	struct settings s = {.state_dir = paths_state_dir(d->state)};
	char *reason = settings_pause_reason(&s);

	if (reason)
		log_error("load is paused (%s); plimsoll resume lets it start again", reason);
	free(reason);
	free(s.state_dir);
	return reason != NULL;
}

/* Loaders look beneath one folder. */
static int check_files(const struct load_plan *plan, const struct load_target *t, struct buf *why)
{
	const char *trace = plan->replay.file.folder;

	if (!trace || !t->files || !strcmp(trace, t->files))
		return 0;
	buf_addf(why, "--rows and --replay: put both files into one folder (%s, %s)", t->files,
		 trace);
	return -EINVAL;
}

static enum exit_code run_url(const struct door *d, struct load_plan *plan, struct load_limits *l)
{
	const struct load_opts *o = d->opts;
	struct buf why = BUF_INIT(2048);
	struct load_private private = {0};
	struct load_target t = {0};
	char *pause = paths_pause_of(d->state);
	struct load_run r = {.plan = plan, .target = &t, .private = &private, .pause_file = pause};
	enum exit_code code = EXIT_USAGE;

	if (load_target_url(&o->call, d->rest[0], &t, &why) || check_files(plan, &t, &why) ||
	    load_private_open(&private, &t, &why)) {
		told(&why);
		goto out;
	}
	r.config = private.config;
	code = with_csv(o, &r, l);
	load_run_release(&r);
out:
	load_private_close(&private);
	load_target_release(&t);
	buf_release(&why);
	free(pause);
	return code;
}

static enum exit_code run_target(const struct load_opts *o, const struct settings *s,
				 struct load_plan *plan, struct load_target *t,
				 struct load_limits *l)
{
	char *pause = paths_pause(s->state_dir);
	struct load_run r = {.plan = plan,
			     .target = t,
			     .config = s->path,
			     .state = s->state_dir,
			     .pause_file = pause};
	enum exit_code code = EXIT_USAGE;

	if (plan->processes > 1)
		log_error("--processes: a function is called by one loader, which keeps its runs "
			  "apart");
	else
		code = with_csv(o, &r, l);
	if (plan->processes == 1)
		load_run_release(&r);
	free(pause);
	return code;
}

/* What the settings allow holds for a load by hand too. */
static int hold_to_limits(const struct config_limits *limits, struct load_plan *plan,
			  struct buf *why)
{
	for (size_t i = 0; i < plan->work_count; i++) {
		struct load_work *w = &plan->works[i];

		if (load_is_open(w) && limits->rate_per_s > 0 &&
		    load_peak_per_s(w) > limits->rate_per_s) {
			buf_addf(why, "%g calls a second are above limits.rate of the settings, %g",
				 load_peak_per_s(w), limits->rate_per_s);
			return -EINVAL;
		}
		if (limits->concurrency && w->vus > limits->concurrency) {
			buf_addf(why, "%u users are above limits.concurrency of the settings, %u",
				 w->vus, limits->concurrency);
			return -EINVAL;
		}
		if (limits->concurrency)
			w->in_flight = MIN_OF(w->in_flight, limits->concurrency);
	}
	return 0;
}

static enum exit_code run_function(const struct door *d, struct load_plan *plan,
				   struct load_limits *l)
{
	const struct load_opts *o = d->opts;
	struct settings s = {0};
	struct load_target t = {0};
	struct buf why = BUF_INIT(2048);
	enum exit_code code = settings_open(d->config, d->state, &s);
	char *subject = code == EXIT_FINE ? settings_subject(&s, d->rest[0]) : NULL;

	if (!subject) {
		code = EXIT_USAGE;
	} else if (hold_to_limits(&s.config->limits, plan, &why) ||
		   load_target_function(&o->call, &s, subject, &t, &why) ||
		   check_files(plan, &t, &why)) {
		code = told(&why);
	} else {
		if (!t.payload_count && t.function)
			load_target_add_payload(&t, ask_payload(subject, "--data"));
		code = t.payload_count || !t.function ? run_target(o, &s, plan, &t, l) : EXIT_USAGE;
	}
	load_target_release(&t);
	buf_release(&why);
	free(subject);
	settings_release(&s);
	return code;
}

static int read_scenarios(const struct load_opts *o, const struct load_ask *ask,
			  struct load_plan *plan, struct buf *why)
{
	struct buf text = BUF_INIT(LOAD_SCENARIO_MAX_BYTES);
	struct config_errors errs = {0};
	int rc = fs_read(o->scenario, &text);

	if (rc)
		buf_addf(why, "cannot read %s: %s", o->scenario, strerror(-rc));
	else if (says_how_much(ask)) {
		buf_adds(why, "--scenario says how much and how long; leave the options for that "
			      "out");
		rc = -EINVAL;
	} else if (load_scenario_parse(o->scenario, buf_str(&text), text.len_bytes, plan, &errs)) {
		config_errors_print(&errs, stderr);
		buf_addf(why, "%s has mistakes", o->scenario);
		rc = -EINVAL;
	}
	config_errors_release(&errs);
	buf_release(&text);
	return rc ? rc : load_plan_finish(ask, plan, why);
}

static int make_plan(const struct load_opts *o, bool is_url, struct load_plan *plan,
		     struct buf *why)
{
	struct load_ask ask = o->ask;

	ask.is_http2 = o->call.http_version && strcmp(o->call.http_version, "1.1") != 0;
	ask.may_be_http1 = ask.is_http2 && strcmp(o->call.http_version, "2") != 0;
	ask.is_local = o->call.unix_socket;
	ask.rate_default_per_s = is_url ? URL_RATE_PER_S : FUNCTION_RATE_PER_S;
	return o->scenario ? read_scenarios(o, &ask, plan, why) : load_plan_make(&ask, plan, why);
}

static bool is_url(const char *word)
{
	return strstr(word, "://") != NULL;
}

/* 127.0.0.1:8080 or localhost/x: no account and no function is called that, ARNs aside. */
static bool is_bare_host(const char *word)
{
	size_t len_bytes = strcspn(word, "/");
	const char *colon = strchr(word, ':');

	return strncmp(word, "arn:", 4) != 0 &&
	       ((colon && colon < word + len_bytes) ||
		(len_bytes == strlen("localhost") && !strncmp(word, "localhost", len_bytes)));
}

static int check_target(const char *word, struct buf *why)
{
	if (is_url(word) || !is_bare_host(word))
		return 0;
	buf_addf(why, "%s: a URL begins with http:// or https://; is it http://%s?", word, word);
	return -EINVAL;
}

static enum exit_code run(const struct door *d)
{
	const struct load_opts *o = d->opts;
	struct load_plan *plan = x_calloc(1, sizeof(*plan));
	struct load_limits limits = {.count = 0};
	struct buf why = BUF_INIT(2048);
	enum exit_code code;

	if (check_target(d->rest[0], &why) || make_plan(o, is_url(d->rest[0]), plan, &why) ||
	    load_limits_read(&o->want, &limits, &why))
		code = told(&why);
	else if (is_paused(d))
		code = EXIT_AGAIN;
	else if (is_url(d->rest[0]))
		code = run_url(d, plan, &limits);
	else
		code = run_function(d, plan, &limits);
	buf_release(&why);
	load_plan_release(plan);
	free(plan);
	return code;
}

const struct command command_load = {
	.name = "load",
	.group = "use",
	.help = "loads a URL or a function and measures: a load tool of its own",
	.synopsis = "URL|[ACCOUNT/]FUNCTION [options]",
	.about = "Calls it for real: 50 times a second for 10 s, unless told otherwise. That you "
		 "type a\n"
		 "URL is the permission to call its host; no settings file is needed. Every call "
		 "says that\n"
		 "it is a test (header Plimsoll-Run). docs/LOAD.md shows more.",
	.exits = "  0 done   1 a --max-... was missed   2 suspect: the figures are not to be "
		 "trusted, or nothing\n"
		 "  was ok   100 something to change   111 try again   130 ended by Ctrl-C",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.opts_bytes = sizeof(struct load_opts),
	.rest_min = 1,
	.rest_max = 1,
	.wants = "name one URL or function",
	.needs = TAKES_CONFIG | TAKES_STATE,
	.run = run,
};
