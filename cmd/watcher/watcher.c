/*
 * plimsoll-watcher - notices that functions changed. A source: see README.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cmd/watcher/account.h"
#include "cmd/watcher/inventory.h"
#include "cmd/watcher/manual.h"
#include "common/base/log.h"

struct options {
	bool is_once, is_follow, has_no_publish, wants_copy, drops_copies;
};

struct watcher {
	struct stage *st;
	struct options opts;
	struct config *config;
	struct account **accounts; /* owned */
	size_t account_count, done_count;
	struct manual *manual; /* instead of accounts */
	struct loop_timer begin;
	int lock_fd; /* held while we are the one who polls with this state */
	bool is_stopped;
	enum exit_code code;
};

static const struct opt rows[] = {
	{"once", 0, OPT_FLAG, offsetof(struct options, is_once), NULL, NULL,
	 "one look at every account, then end"},
	{"follow", 0, OPT_FLAG, offsetof(struct options, is_follow), NULL, NULL,
	 "look again and again, as often as the account's poll: says"},
	{"no-publish", 0, OPT_FLAG, offsetof(struct options, has_no_publish), NULL, NULL,
	 "publishes and deletes no version, whatever publish_versions: allows"},
	{"copy", 0, OPT_FLAG, offsetof(struct options, wants_copy), NULL, NULL,
	 "of named functions: makes a second version of their code where there is none "
	 "(publish_versions: allows it), for calibrate"},
	{"drop-copies", 0, OPT_FLAG, offsetof(struct options, drops_copies), NULL, NULL,
	 "of named functions: deletes what --copy made, and tells nothing"},
};

static struct config *load(const char *path, bool may_publish)
{
	struct config_errors errs = {0};
	struct config *config = NULL;

	if (!path) {
		log_error("no settings: there is no plimsoll.yaml here; name a file with --config, "
			  "or make one with plimsoll init");
		return NULL;
	}
	if (config_load(path, &config, &errs))
		config_errors_print(&errs, stderr);
	config_errors_release(&errs);
	for (size_t i = 0; config && !may_publish && i < config->account_count; i++)
		config->accounts[i].publish_keep = 0;
	return config;
}

/* Two that poll with one state would tell every change twice. */
static enum exit_code lock_state(struct watcher *w)
{
	const char *dir = stage_state_dir(w->st);
	char *path;

	if (!dir)
		return EXIT_FINE;
	path = x_asprintf("%s/watcher-poll.lock", dir);
	w->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (w->lock_fd >= 0 && !flock(w->lock_fd, LOCK_EX | LOCK_NB)) {
		free(path);
		return EXIT_FINE;
	}
	if (errno == EWOULDBLOCK)
		log_error(
			"another watcher polls with --state %s; name the functions to look at, or "
			"stop that one",
			dir);
	else
		log_error("cannot lock %s: %s", path, strerror(errno));
	free(path);
	return EXIT_AGAIN;
}

static void account_done(struct account *a)
{
	struct watcher *w = a->done_ctx;

	w->code = exit_code_worse(w->code, a->code);
	if (++w->done_count == w->account_count)
		stage_finish(w->st, w->code);
}

static bool open_account(struct watcher *w, const struct config_account *conf)
{
	struct account *a = account_new(w->st, w->config, conf);

	if (!a)
		return false;
	a->is_once = w->opts.is_once;
	a->done = account_done;
	a->done_ctx = w;
	w->accounts = x_realloc(w->accounts, w->account_count + 1, sizeof(struct account *));
	w->accounts[w->account_count++] = a;
	return true;
}

static void close_accounts(struct watcher *w)
{
	for (size_t i = 0; i < w->account_count; i++)
		account_free(w->accounts[i]);
	free(w->accounts);
	w->accounts = NULL;
	w->account_count = w->done_count = 0;
}

/* An http account has no list: a hook says when its functions change. */
static enum exit_code open_accounts(struct watcher *w)
{
	for (size_t i = 0; i < w->config->account_count; i++)
		if (w->config->accounts[i].provider == PROVIDER_AWS &&
		    !open_account(w, &w->config->accounts[i]))
			return EXIT_USAGE;
	if (!w->account_count)
		log_warn("%s has no account with a cloud to poll", w->config->path);
	for (size_t i = 0; i < w->account_count; i++)
		account_start(w->accounts[i]);
	return EXIT_FINE;
}

static enum exit_code begin_polling(struct watcher *w)
{
	enum exit_code code = lock_state(w);

	if (code == EXIT_FINE)
		code = open_accounts(w);
	if (code == EXIT_FINE && w->opts.is_once && !w->account_count)
		stage_finish(w->st, EXIT_FINE);
	return code;
}

/* In the first turn of the loop, so that READY is out before the first call. */
static void begin(struct loop *l, struct loop_timer *t)
{
	struct watcher *w = CONTAINER_OF(t, struct watcher, begin);

	(void)l;
	if (w->manual)
		manual_start(w->manual);
	else if (w->opts.is_once && !stage_has_state(w->st))
		stage_finish(w->st, inventory_print(w->config));
}

static enum exit_code check_usage(const struct watcher *w, bool has_names)
{
	if (w->opts.is_once == w->opts.is_follow)
		log_error("say either --once or --follow");
	else if (has_names && w->opts.is_follow)
		log_error("functions are named with --once only; --follow watches what the "
			  "settings say");
	else if ((w->opts.wants_copy || w->opts.drops_copies) &&
		 (!has_names || !stage_has_state(w->st)))
		log_error("--copy and --drop-copies are for functions that are named, and need "
			  "--state");
	else
		return EXIT_FINE;
	return EXIT_USAGE;
}

static enum manual_what what_by_hand(const struct options *o)
{
	if (o->drops_copies)
		return MANUAL_DROP;
	return o->wants_copy ? MANUAL_COPY_TELL : MANUAL_TELL;
}

static enum exit_code open_watcher(struct watcher *w)
{
	size_t count;
	const char *const *names = stage_args(w->st, &count);
	enum exit_code code;

	w->config = load(stage_config_path(w->st), !w->opts.has_no_publish);
	if (!w->config)
		return EXIT_USAGE;
	if (stage_is_check(w->st))
		return EXIT_FINE;
	code = check_usage(w, count > 0);
	if (code)
		return code;
	loop_timer_set(stage_loop(w->st), &w->begin, mono_now());
	if (count) {
		w->manual = manual_new(w->st, w->config, names, count, what_by_hand(&w->opts));
		return w->manual ? EXIT_FINE : EXIT_USAGE;
	}
	if (w->opts.is_once && !stage_has_state(w->st))
		return EXIT_FINE;
	if (!stage_has_state(w->st))
		log_warn("without --state DIR what is known is forgotten at the end");
	return begin_polling(w);
}

static void free_watcher(struct watcher *w)
{
	close_accounts(w);
	manual_free(w->manual);
	loop_timer_clear(stage_loop(w->st), &w->begin);
	config_free(w->config);
	if (w->lock_fd >= 0)
		close(w->lock_fd);
	free(w);
}

static int open_stage(struct stage *st, void *opts, void **ctx)
{
	struct watcher *w = x_calloc(1, sizeof(*w));
	enum exit_code code;

	w->st = st;
	w->opts = *(struct options *)opts;
	w->begin.run = begin;
	w->lock_fd = -1;
	code = open_watcher(w);
	if (code)
		free_watcher(w);
	else
		*ctx = w;
	return code;
}

static void stop(struct stage *st, void *ctx)
{
	struct watcher *w = ctx;

	(void)st;
	w->is_stopped = true;
	close_accounts(w);
	manual_free(w->manual);
	w->manual = NULL;
}

/* What is pending is in the state, or is found again by the next list. */
static void reload(struct stage *st, void *ctx)
{
	struct watcher *w = ctx;
	struct config *fresh;

	if (w->manual || w->is_stopped)
		return;
	fresh = load(stage_config_path(st), !w->opts.has_no_publish);
	if (!fresh) {
		log_error("the settings in force stay");
		return;
	}
	close_accounts(w);
	config_free(w->config);
	w->config = fresh;
	if (open_accounts(w))
		stage_fail(st, EXIT_USAGE);
	else
		log_info("the settings were read again");
}

static size_t held(void *ctx)
{
	const struct watcher *w = ctx;
	size_t count = w->manual ? manual_held(w->manual) : 0;

	for (size_t i = 0; i < w->account_count; i++)
		count += w->accounts[i]->todos.count;
	return count;
}

static int close_stage(struct stage *st, void *ctx)
{
	(void)st;
	free_watcher(ctx);
	return EXIT_FINE;
}

int main(int argc, char **argv)
{
	static const char *const namespaces[] = {"watcher", "watched", "published", NULL};
	static const struct stage_def def = {
		.name = "watcher",
		.namespaces = namespaces,
		.synopsis = "--once|--follow [--config FILE] [--state DIR] [ACCOUNT/FUNCTION...]",
		.about =
			"Polls the accounts of the settings and tells each function that was "
			"added,\n"
			"changed or removed, once it is quiet and ready. The first sight of an "
			"account\n"
			"is an inventory: versions are published as baselines (publish_versions:), "
			"and\n"
			"nothing is tested. Named functions are told as they are, changed or not.\n"
			"Without --state and without names it only lists what there is.",
		.is_source = true,
		.opts = rows,
		.opt_count = ARRAY_LEN(rows),
		.config_bytes = sizeof(struct options),
		.open = open_stage,
		.stop = stop,
		.reload = reload,
		.held = held,
		.close = close_stage,
	};

	return stage_main(&def, argc, argv);
}
