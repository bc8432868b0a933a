#include "cmd/plimsoll/bus.h"

#include <errno.h>

#include "cmd/plimsoll/settings.h"
#include "common/base/log.h"
#include "common/jobs/jobs.h"

#define SECRETS_DIR "/etc/plimsoll/secrets"

static enum exit_code load_settings(struct bus_door *bus, const char *config)
{
	enum exit_code code = settings_load(config, &bus->config, &bus->path);

	if (code != EXIT_FINE)
		return code;
	if (bus->config && bus->config->bus.is_set && bus->config->bus.redis)
		return EXIT_FINE;
	log_error("%s has no bus: section with redis:, the unix socket of Redis; add it, or name "
		  "another file with --config",
		  bus->path ? bus->path : "no settings file was found: the default");
	return EXIT_USAGE;
}

/* --secret, else the file of the services, else bus.secret. */
static char *secret_of(const struct bus_door *bus, const struct bus_opts *o)
{
	char *path, *ref = NULL;

	if (o->secret)
		return x_strdup(o->secret);
	path = x_asprintf(SECRETS_DIR "/%s", o->user);
	if (access(path, R_OK) == 0)
		ref = x_asprintf("file:%s", path);
	else if (bus->config->bus.secret)
		ref = x_strdup(bus->config->bus.secret);
	free(path);
	return ref;
}

static enum exit_code read_password(const struct bus_door *bus, const struct bus_opts *o,
				    char **password)
{
	char *ref = secret_of(bus, o);
	char why[200] = "";
	int rc = -EINVAL;

	if (ref)
		rc = config_secret(ref, password, why);
	if (rc)
		log_error("no password for the Redis user %s%s%s; name its file: --secret "
			  "file:/path",
			  o->user, *why ? ": " : "", why);
	free(ref);
	return rc ? EXIT_USAGE : EXIT_FINE;
}

enum exit_code bus_door_open(struct bus_door *bus, const char *config, const struct bus_opts *o)
{
	char *password = NULL;
	enum exit_code code;

	*bus = (struct bus_door){.wait_ms = o->wait_ms};
	code = load_settings(bus, config);
	if (code == EXIT_FINE)
		code = read_password(bus, o, &password);
	if (code != EXIT_FINE)
		return code;
	bus->loop = loop_new();
	bus->redis = redis_new(bus->loop, &(struct redis_options){.path = bus->config->bus.redis,
								  .user = o->user,
								  .password = password});
	explicit_bzero(password, strlen(password));
	free(password);
	return EXIT_FINE;
}

void bus_door_close(struct bus_door *bus)
{
	redis_free(bus->redis);
	loop_free(bus->loop);
	config_free(bus->config);
	free(bus->path);
}

enum exit_code bus_door_ask(struct bus_door *bus, struct redis_args *a, redis_reply_fn *fn,
			    void *ctx)
{
	char why[200];
	int rc = redis_ask(bus->redis, bus->loop, a, bus->wait_ms, fn, ctx, why);

	if (rc == -EACCES)
		log_error("Redis at %s: %s; %s", bus->config->bus.redis, why, jobs_advice(why));
	else if (rc)
		log_error("Redis at %s does not do it: %s; try again when that is mended",
			  bus->config->bus.redis, why);
	return rc == -EACCES ? EXIT_USAGE : rc ? EXIT_AGAIN : EXIT_FINE;
}

struct answer {
	redis_reply_fn *fn;
	void *ctx;
	bool is_error;
};

static void on_answer(const struct redis_reply *reply, void *ctx)
{
	struct answer *answer = ctx;

	answer->is_error = reply->is_error;
	if (reply->is_error)
		log_error("Redis refuses: %s; %s", reply->error, jobs_advice(reply->error));
	else
		answer->fn(reply, answer->ctx);
}

enum exit_code bus_door_fcall(struct bus_door *bus, struct redis_args *a, redis_reply_fn *fn,
			      void *ctx)
{
	struct answer answer = {.fn = fn, .ctx = ctx};
	enum exit_code code = bus_door_ask(bus, a, on_answer, &answer);

	return code == EXIT_FINE && answer.is_error ? EXIT_USAGE : code;
}
