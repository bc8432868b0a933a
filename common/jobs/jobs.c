#include "common/jobs/jobs.h"

#include <errno.h>

#include "common/base/log.h"

#define WHY_SIZE 400

/* One call, so that its error can name it, and so that it is freed when no answer comes. */
struct wish {
	struct jobs *j;
	struct wish *next, **at; /* in j->wishes */
	char function[32];
	redis_reply_fn *fn;
	void *ctx;
};

struct jobs {
	struct redis *redis;
	char *user;
	void (*kick)(const char *queue, void *ctx);
	void (*failed)(const char *why, void *ctx);
	void *ctx;
	struct wish *wishes;
	bool has_failed; /* told once */
};

static void fail(struct jobs *j, const char *why)
{
	if (j->has_failed)
		return;
	j->has_failed = true;
	if (j->failed)
		j->failed(why, j->ctx);
	else
		log_error("%s", why);
}

/* What a person must do about it. */
static const struct {
	const char *begins, *advice;
} advices[] = {
	{"WRONGPASS", "bus.secret is not the password in its ACL file: load what `plimsoll admin "
		      "acl` prints, made from the same secret files"},
	{"NOPERM", "load what `plimsoll admin acl` of this release prints"},
	{"ERR The user executing", "load what `plimsoll admin acl` of this release prints"},
	{"ERR Function not found", "the library is not loaded: run `plimsoll admin install`"},
	{"", "this is a bug of Plimsoll, or Redis was changed by hand"},
};

const char *jobs_advice(const char *error)
{
	size_t i = 0;

	while (strncmp(error, advices[i].begins, strlen(advices[i].begins)) != 0)
		i++;
	return advices[i].advice;
}

static void explain(struct jobs *j, const char *function, const char *error)
{
	char why[WHY_SIZE];

	(void)snprintf(why, sizeof(why), "Redis refuses %s to the user %s (%.150s); %s", function,
		       j->user, error, jobs_advice(error));
	fail(j, why);
}

/* After each connect. */

static void on_version(const struct redis_reply *reply, void *ctx)
{
	struct jobs *j = ctx;
	const char *found;
	char why[WHY_SIZE];

	if (reply->is_lost)
		return;
	if (!reply->is_error && reply->count == 2 && !strcmp(reply->parts[1].data, JOBS_VERSION))
		return;
	redis_refuse(j->redis);
	if (reply->is_error) {
		explain(j, "pl_version", reply->error);
		return;
	}
	found = reply->count == 2 && reply->parts[1].data ? reply->parts[1].data : "unknown";
	(void)snprintf(why, sizeof(why),
		       "the library in Redis has version %.20s and this program needs " JOBS_VERSION
		       ": stop all stages, run `plimsoll admin install` of the newer release, and "
		       "start stages of the same release",
		       found);
	fail(j, why);
}

static void on_hello(struct redis *r, void *ctx)
{
	struct redis_args a = jobs_args("pl_version");

	redis_call_first(r, &a, on_version, ctx);
}

static void on_changed(struct redis *r, bool is_up, const char *why, void *ctx)
{
	struct jobs *j = ctx;

	(void)r;
	if (!is_up && !strncmp(why, "WRONGPASS", strlen("WRONGPASS")))
		explain(j, "AUTH", why);
	else if (*why)
		log_warn("Redis: %s", why);
	else
		log_info("Redis answers");
}

static void on_message(const char *text, void *ctx)
{
	const struct jobs *j = ctx;

	j->kick(text, j->ctx);
}

static int read_settings(const struct jobs_options *o, char **password)
{
	char why[200];
	int rc = -EINVAL;

	if (!o->settings->is_set || !o->settings->redis)
		log_error("the settings have no bus: section with redis:, the unix socket of "
			  "Redis; add it");
	else if (!o->settings->secret)
		log_error("bus.secret is missing: name the file that holds the password of the "
			  "Redis user %s (file:/path or credential:name)",
			  o->user);
	else if ((rc = config_secret(o->settings->secret, password, why)))
		log_error("bus.secret: %s", why);
	return rc;
}

struct jobs *jobs_open(struct loop *l, const struct jobs_options *o)
{
	char *password = NULL;
	struct jobs *j;

	if (read_settings(o, &password))
		return NULL;
	j = x_calloc(1, sizeof(*j));
	j->user = x_strdup(o->user);
	j->kick = o->kick;
	j->failed = o->failed;
	j->ctx = o->ctx;
	j->redis = redis_new(l, &(struct redis_options){
					.path = o->settings->redis,
					.user = o->user,
					.password = password,
					.changed = on_changed,
					.hello = on_hello,
					.channel = o->kick ? JOBS_KICK : NULL,
					.message = on_message,
					.ctx = j,
				});
	explicit_bzero(password, strlen(password));
	free(password);
	return j;
}

static void wish_free(struct wish *w)
{
	*w->at = w->next;
	if (w->next)
		w->next->at = w->at;
	free(w);
}

void jobs_free(struct jobs *j)
{
	if (!j)
		return;
	redis_free(j->redis);
	while (j->wishes)
		wish_free(j->wishes);
	free(j->user);
	free(j);
}

struct redis *jobs_redis(struct jobs *j)
{
	return j->redis;
}

struct redis_args jobs_args(const char *function)
{
	struct redis_args a = REDIS_ARGS_INIT;

	redis_arg(&a, "FCALL");
	redis_arg(&a, function);
	redis_arg(&a, "0");
	return a;
}

static void on_answer(const struct redis_reply *reply, void *ctx)
{
	struct wish *w = ctx;
	struct wish copy = *w;

	wish_free(w);
	if (reply->is_error)
		explain(copy.j, copy.function, reply->error);
	else if (copy.fn)
		copy.fn(reply, copy.ctx);
}

static struct wish *wish_new(struct jobs *j, const struct redis_args *a, redis_reply_fn *fn,
			     void *ctx)
{
	struct wish *w = x_calloc(1, sizeof(*w));
	size_t from = a->ends[0];

	(void)snprintf(w->function, sizeof(w->function), "%.*s", (int)(a->ends[1] - from),
		       buf_str(&a->bytes) + from);
	w->j = j;
	w->fn = fn;
	w->ctx = ctx;
	w->at = &j->wishes;
	w->next = j->wishes;
	if (w->next)
		w->next->at = &w->next;
	j->wishes = w;
	return w;
}

void jobs_call(struct jobs *j, struct redis_args *a, redis_reply_fn *fn, void *ctx)
{
	redis_call(j->redis, a, REDIS_REPEAT, on_answer, wish_new(j, a, fn, ctx));
}

void jobs_try(struct jobs *j, struct redis_args *a, redis_reply_fn *fn, void *ctx)
{
	redis_call(j->redis, a, REDIS_ONCE, on_answer, wish_new(j, a, fn, ctx));
}

bool jobs_said(const struct redis_reply *reply, const char *code)
{
	return !reply->is_lost && !reply->is_error && reply->count > 0 && reply->parts[0].data &&
	       !strcmp(reply->parts[0].data, code);
}
