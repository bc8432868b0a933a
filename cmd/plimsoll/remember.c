/* remember.c - see remember.h. */
#include "cmd/plimsoll/remember.h"

#include <string.h>

#include "cmd/plimsoll/bus_view.h"
#include "common/base/log.h"
#include "common/jobs/jobs.h"
#include "common/state/state.h"

#define DOC_MAX_BYTES ((size_t)64 * 1024)

static enum exit_code put_file(const char *state_dir, const char *key, struct json *doc)
{
	struct state *state = NULL;
	int rc = state_open(state_dir, &state);

	if (rc) {
		json_free(doc);
	} else {
		state_put(state, key, doc);
		rc = state_commit(state);
	}
	if (rc)
		log_error("cannot write %s under %s: %s", key, state_dir, strerror(-rc));
	state_free(state);
	return rc ? EXIT_AGAIN : EXIT_FINE;
}

static void on_put(const struct redis_reply *reply, void *ctx)
{
	(void)reply, (void)ctx;
}

static enum exit_code put_bus(const struct door *d, const struct bus_opts *o, const char *key,
			      struct json *doc)
{
	struct buf text = BUF_INIT(DOC_MAX_BYTES);
	struct redis_args a = jobs_args("pl_put");
	struct bus_door bus;
	enum exit_code code = bus_door_open(&bus, d->settings.path, o);

	json_write(doc, &text);
	json_free(doc);
	redis_arg(&a, key);
	redis_arg(&a, buf_str(&text));
	if (code == EXIT_FINE)
		code = bus_door_fcall(&bus, &a, on_put, NULL);
	bus_door_close(&bus);
	redis_args_release(&a);
	buf_release(&text);
	return code;
}

enum exit_code remember_put(const struct door *d, const struct bus_opts *o, const char *key,
			    struct json *doc_take)
{
	if (bus_view_wanted(&d->settings))
		return put_bus(d, o, key, doc_take);
	return put_file(d->settings.state_dir, key, doc_take);
}
