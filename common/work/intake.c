/* intake.c - the collector's side of the work: RESULT, the file, pl_shard, ACK. */
#include "common/work/intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/crash.h"
#include "common/base/fsio.h"
#include "common/base/log.h"
#include "common/base/strmap.h"
#include "common/digest/digest.h"
#include "common/event/event.h"
#include "common/work/durable.h"
#include "common/work/sweep.h"
#include "common/work/wire.h"

#define CALLS_MAX 512 /* results under way: more are left unanswered, and come again */

struct intake {
	struct jobs *jobs;
	struct bus *bus;
	struct bus_socket *socket;
	char *dir;
	struct strmap under_way; /* file name -> struct arrival */
	struct sweep *sweep;
	struct log_limit trouble, unwanted;
};

/* A result between its file and Redis' word. */
struct arrival {
	struct intake *in;
	struct bus_peer peer;
	char run[WIRE_WORD_SIZE], token[WIRE_WORD_SIZE], name[RESULTS_NAME_SIZE];
	int64_t index;
	bool is_ours; /* we have made the file: it goes when Redis does not want it */
};

/* ---- files ---- */

void results_shard_name(const char *run, const char *i, const char *sha,
			char out[RESULTS_NAME_SIZE])
{
	(void)snprintf(out, RESULTS_NAME_SIZE, "%.64s.%.10s.%.16s.json", run, i, sha);
}

char *results_path(const char *dir, const char *name)
{
	return x_asprintf("%s/results/%s", dir, name);
}

int results_write(const char *dir, const char *name, const char *data, size_t len_bytes)
{
	char *path = results_path(dir, name);
	int rc = durable_write_tmp(path, data, len_bytes);

	CRASH_POINT("results.post-tmp");
	if (!rc)
		rc = durable_rename(path);
	CRASH_POINT("results.post-rename");
	if (!rc)
		rc = durable_sync_folder(path);
	CRASH_POINT("results.post-sync");
	free(path);
	return rc;
}

static void remove_file(const struct intake *in, const char *name)
{
	char *path = results_path(in->dir, name);

	CRASH_POINT("intake.pre-remove");
	if (unlink(path) && errno != ENOENT)
		log_warn("cannot remove %s: %s", path, strerror(errno));
	CRASH_POINT("intake.post-remove");
	free(path);
}

/* ---- checking ---- */

/* The collector believes the event, not the parts: both places of it that name a run must be
 * right. */
static bool is_of_shard(const struct event *ev, const struct wire *m)
{
	const char *run = json_get_str(ev->data, "run");

	return ev->kind == EV_SHARD_FINISHED && run && !strcmp(run, m->text[SHARD_RUN]) &&
	       (!ev->run || !strcmp(ev->run, run)) &&
	       json_int(json_at(ev->data, "shard.index")) == m->number[SHARD_INDEX];
}

/* The event is what the parts say: of this run and shard, whole. */
static int check(const struct wire *m, char why[EVENT_WHY_SIZE])
{
	char sha[SHA256_HEX_SIZE];
	struct event ev;
	int rc;

	digest_sha256_hex(m->text[RESULT_LINE], m->len_bytes[RESULT_LINE], sha);
	if (strcmp(sha, m->text[RESULT_SHA]) != 0) {
		(void)snprintf(why, EVENT_WHY_SIZE, "its SHA-256 is another");
		return -EINVAL;
	}
	rc = event_parse(m->text[RESULT_LINE], m->len_bytes[RESULT_LINE], &ev, why);
	if (rc)
		return rc;
	if (!is_of_shard(&ev, m)) {
		(void)snprintf(why, EVENT_WHY_SIZE, "it is not the shard.finished of that shard");
		rc = -EINVAL;
	}
	event_release(&ev);
	return rc;
}

/* ---- answering ---- */

static void acknowledge(struct intake *in, const struct bus_peer *peer, const char *run,
			int64_t index, const char *token, const char *code)
{
	struct wire_out o;

	wire_begin(&o, WIRE_ACK);
	wire_text(&o, run);
	wire_number(&o, index);
	wire_text(&o, token);
	wire_text(&o, code);
	if (wire_send(&o, in->socket, peer) != 0)
		log_debug("cannot acknowledge %s to %s; it will ask again", run, peer->name);
}

static void on_shard(const struct redis_reply *reply, void *ctx)
{
	struct arrival *a = ctx;
	const char *code = reply->count && reply->parts[0].data ? reply->parts[0].data : "";
	bool is_wanted = !strcmp(code, "OK") || !strcmp(code, "DUP");

	CRASH_POINT("intake.post-commit");
	if (!is_wanted && a->is_ours)
		remove_file(a->in, a->name);
	if (!is_wanted)
		log_limited(&a->in->unwanted, LOG_INFO,
			    "a result of %s for %s.%d is not wanted: %s", a->peer.name, a->run,
			    (int)a->index, code);
	CRASH_POINT("intake.pre-ack");
	if (*code)
		acknowledge(a->in, &a->peer, a->run, a->index, a->token, code);
	CRASH_POINT("intake.post-ack");
	(void)strmap_remove(&a->in->under_way, a->name);
	free(a);
}

static void commit(struct arrival *a, const struct wire *m)
{
	struct redis_args args = jobs_args("pl_shard");
	char owner[BUS_NAME_SIZE + WIRE_WORD_SIZE];

	(void)snprintf(owner, sizeof(owner), "%s/%s", a->peer.name, m->text[RESULT_NONCE]);
	redis_arg(&args, a->run);
	redis_arg_int(&args, a->index);
	redis_arg(&args, a->token);
	redis_arg(&args, owner);
	redis_arg(&args, m->text[RESULT_SHA]);
	redis_arg_int(&args, (int64_t)m->len_bytes[RESULT_LINE]);
	jobs_call(a->in->jobs, &args, on_shard, a);
}

/* ---- taking ---- */

static struct arrival *arrival_new(struct intake *in, const struct bus_peer *peer,
				   const struct wire *m)
{
	struct arrival *a = x_calloc(1, sizeof(*a));
	char index[24];

	a->in = in;
	a->peer = *peer;
	a->index = m->number[SHARD_INDEX];
	(void)snprintf(a->run, sizeof(a->run), "%s", m->text[SHARD_RUN]);
	(void)snprintf(a->token, sizeof(a->token), "%s", m->text[SHARD_TOKEN]);
	(void)snprintf(index, sizeof(index), "%d", (int)a->index);
	results_shard_name(a->run, index, m->text[RESULT_SHA], a->name);
	return a;
}

/* The name holds the content's hash: a file of that name is that content, or a cut one of a crash
 * of the whole host, which is written again. */
static int make_durable(struct arrival *a, const struct wire *m)
{
	char *path = results_path(a->in->dir, a->name);
	struct buf found = BUF_INIT(EVENT_LINE_MAX_BYTES);
	bool is_there = fs_read(path, &found) == 0 &&
			found.len_bytes == m->len_bytes[RESULT_LINE] &&
			!memcmp(found.data, m->text[RESULT_LINE], found.len_bytes);
	int rc = 0;

	a->is_ours = !is_there;
	CRASH_POINT("intake.pre-file");
	if (!is_there)
		rc = results_write(a->in->dir, a->name, m->text[RESULT_LINE],
				   m->len_bytes[RESULT_LINE]);
	CRASH_POINT("intake.post-file");
	if (rc)
		log_limited(&a->in->trouble, LOG_ERROR,
			    "cannot keep a result in %s: %s; loaders keep theirs until it can be",
			    path, strerror(-rc));
	buf_release(&found);
	free(path);
	return rc;
}

static void take_result(struct intake *in, const struct bus_peer *peer, const struct wire *m)
{
	char why[EVENT_WHY_SIZE];
	struct arrival *a;

	if (check(m, why) != 0) {
		log_limited(&in->trouble, LOG_WARN, "a result of %s for %s is refused: %s",
			    peer->name, m->text[SHARD_RUN], why);
		acknowledge(in, peer, m->text[SHARD_RUN], m->number[SHARD_INDEX],
			    m->text[SHARD_TOKEN], "BAD");
		return;
	}
	a = arrival_new(in, peer, m);
	if (strmap_get(&in->under_way, a->name) || in->under_way.count >= CALLS_MAX ||
	    make_durable(a, m) != 0) {
		free(a); /* no answer: it comes again */
		return;
	}
	(void)strmap_put(&in->under_way, a->name, a);
	commit(a, m);
}

static void heard(struct bus_socket *s, const struct bus_peer *peer, const struct bus_part *parts,
		  size_t count, void *ctx)
{
	struct wire m;

	(void)s;
	if (wire_read(&m, parts, count) != 0 || m.kind != WIRE_RESULT)
		wire_blame(peer->name, parts, count);
	else
		take_result(ctx, peer, &m);
	wire_release(&m);
}

/* ---- life ---- */

static int listen_on(struct intake *in, const struct config_bus *settings, const char *secret)
{
	struct bus_listen how = {
		.endpoints = (const char *const *)settings->results,
		.endpoint_count = settings->result_count,
		.secret_key = secret,
		.heard = heard,
		.ctx = in,
	};
	char why[200];
	int rc = bus_listen_on(in->bus, &how, &in->socket, why);

	if (rc)
		log_error("bus.results: %s", why);
	return rc;
}

static int make_folder(const char *dir)
{
	char *path = results_path(dir, "");
	int rc = fs_mkdirs(path, 0750);

	if (rc)
		log_error("cannot make %s: %s", path, strerror(-rc));
	free(path);
	return rc;
}

static int open_parts(struct intake *in, const struct config_bus *settings)
{
	const char *missing = !settings->result_count ? "bus.results, where loaders connect"
			      : !settings->key	      ? "bus.key, the collector's secret key"
			      : !settings->loaders    ? "bus.loaders, the list of who may connect"
						      : NULL;
	char *secret = NULL, why[200];
	int rc = missing ? -EINVAL : make_folder(in->dir);

	if (missing)
		log_error("the settings lack %s; add it", missing);
	if (!rc && (rc = config_secret(settings->key, &secret, why)))
		log_error("bus.key: %s", why);
	if (!rc && bus_allow(in->bus, settings->loaders, why) != 0)
		log_error("bus.loaders: %s; until it is mended nobody may connect", why);
	if (!rc)
		rc = listen_on(in, settings, secret);
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
	return rc;
}

struct intake *intake_open(struct loop *l, struct jobs *j, const struct config_bus *settings,
			   const char *dir)
{
	struct intake *in = x_calloc(1, sizeof(*in));

	in->jobs = j;
	in->bus = bus_new(l);
	in->dir = x_strdup(dir);
	if (open_parts(in, settings) != 0) {
		intake_free(in);
		return NULL;
	}
	in->sweep = sweep_new(l, j, dir);
	return in;
}

void intake_free(struct intake *in)
{
	if (!in)
		return;
	sweep_free(in->sweep);
	bus_socket_close(in->socket);
	bus_free(in->bus);
	strmap_release(&in->under_way, free);
	free(in->dir);
	free(in);
}

void intake_reload(struct intake *in)
{
	char why[200];

	if (bus_allow_reload(in->bus, why) != 0)
		log_error("bus.loaders: %s; until it is mended nobody may connect", why);
}
