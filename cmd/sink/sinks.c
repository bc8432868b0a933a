#include "cmd/sink/sinks.h"

#include <errno.h>

#include "cmd/sink/deliveries.h"
#include "common/base/log.h"
#include "common/base/strmap.h"
#include "common/digest/digest.h"

static const struct sink_kind *const kinds[] = {&sink_terminal, &sink_pushgateway, &sink_archive,
						&sink_file,	&sink_exec,	   &sink_junit,
						&sink_github};

static const struct sink_kind *find_kind(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	}
	return NULL;
}

static void complain_about_name(const char *name)
{
	const char *names[ARRAY_LEN(kinds)], *near;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		names[i] = kinds[i]->name;
	near = nearest_name(name, names, ARRAY_LEN(kinds));
	log_error("--to %s: no such sink%s%s%s; expected terminal, pushgateway=URL, archive=PATH, "
		  "file=PATH, exec=PROGRAM, junit=PATH or github",
		  name, near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

static const char *configured_value(const struct config_sink *c)
{
	return c->url ? c->url : c->path ? c->path : c->exec;
}

static const struct config_sink *find_configured(const struct config *config, const char *kind)
{
	for (size_t i = 0; config != NULL && i < config->sink_count; i++) {
		if (strcmp(config->sinks[i].kind, kind) == 0)
			return &config->sinks[i];
	}
	return NULL;
}

static bool is_there(const struct sinks *all, const struct sink_kind *kind, const char *value)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct sink *s = &all->items[i];

		if (s->kind == kind && (value == NULL || strcmp(s->value, value) == 0))
			return true;
	}
	return false;
}

/* Redis keeps it with every event that not all have: the same after a restart. */
static void make_name(struct sink *s)
{
	char hex[SHA256_HEX_SIZE];

	if (s->settings) {
		snprintf(s->name, sizeof(s->name), "%s", s->settings->name);
	} else if (s->value) {
		digest_sha256_hex(s->value, strlen(s->value), hex);
		snprintf(s->name, sizeof(s->name), "%s.%.12s", s->kind->name, hex);
	} else {
		snprintf(s->name, sizeof(s->name), "%s", s->kind->name);
	}
}

static bool add(struct sinks *all, const struct sink_kind *kind, const char *value,
		const struct config_sink *settings, struct sink_world *world)
{
	if (is_there(all, kind, kind->value_name ? value : NULL))
		return true;
	if (all->count == SINKS_MAX) {
		log_error("more than %d sinks; start another plimsoll-sink behind tee", SINKS_MAX);
		return false;
	}
	all->items[all->count++] = (struct sink){
		.kind = kind,
		.value = kind->value_name ? x_strdup(value) : NULL,
		.settings = settings,
		.world = world,
	};
	make_name(&all->items[all->count - 1]);
	return true;
}

/* A bare name takes its value from the configuration, else what is usual. */
static bool add_named(struct sinks *all, const struct sink_kind *kind, const char *value,
		      struct sink_world *world)
{
	const struct config_sink *settings = find_configured(world->config, kind->name);

	if (value == NULL && settings != NULL)
		value = configured_value(settings);
	if (value == NULL)
		value = kind->fallback;
	if (kind->value_name != NULL && (value == NULL || *value == '\0')) {
		log_error("--to %s: expected --to %s=%s, or a sink of that kind in the settings",
			  kind->name, kind->name, kind->value_name);
		return false;
	}
	return add(all, kind, value, settings, world);
}

bool sinks_add(struct sinks *all, const char *spec, struct sink_world *world)
{
	const char *equals = strchr(spec, '=');
	char *name = equals ? x_strndup(spec, (size_t)(equals - spec)) : x_strdup(spec);
	const struct sink_kind *kind = find_kind(name);
	bool is_good = false;

	if (kind == NULL)
		complain_about_name(name);
	else if (equals != NULL && kind->value_name == NULL)
		log_error("--to %s: %s takes no value", spec, name);
	else
		is_good = add_named(all, kind, equals ? equals + 1 : NULL, world);
	free(name);
	return is_good;
}

void sinks_add_configured(struct sinks *all, struct sink_world *world)
{
	for (size_t i = 0; world->config != NULL && i < world->config->sink_count; i++) {
		const struct config_sink *c = &world->config->sinks[i];
		const struct sink_kind *kind = find_kind(c->kind);
		const char *value = configured_value(c);

		if (kind == NULL)
			log_warn("sink %s: this version has no %s; left out", c->name, c->kind);
		else if (kind->value_name != NULL && value == NULL)
			log_warn("sink %s: no %s; left out", c->name, kind->value_name);
		else if (!add(all, kind, value, c, world))
			return;
	}
}

bool sinks_check(const struct sinks *all)
{
	bool is_good = true;

	for (size_t i = 0; i < all->count; i++) {
		const struct sink *s = &all->items[i];

		is_good = (s->kind->check == NULL || s->kind->check(s)) && is_good;
	}
	return is_good;
}

enum exit_code sinks_open(struct sinks *all)
{
	enum exit_code code = EXIT_FINE;

	for (size_t i = 0; i < all->count && code == EXIT_FINE; i++)
		code = all->items[i].kind->open(&all->items[i]);
	return code;
}

bool sink_wants(const struct sink *s, const struct event *ev)
{
	return ev->kind < EV_KIND_COUNT && (s->kind->wants & EV_BIT(ev->kind));
}

void sink_done(struct sink *s, const char *event_id)
{
	if (s->world->deliveries)
		deliveries_done(s->world->deliveries, s, event_id);
}

void sinks_deliver(struct sinks *all, const struct event *ev)
{
	for (size_t i = 0; i < all->count; i++) {
		struct sink *s = &all->items[i];
		int rc = sink_wants(s, ev) ? s->kind->deliver(s, ev) : 0;

		s->lost += rc != 0 && rc != -EINPROGRESS;
	}
}

void sinks_end(struct sinks *all)
{
	for (size_t i = 0; i < all->count; i++) {
		if (all->items[i].kind->end != NULL)
			all->items[i].kind->end(&all->items[i]);
	}
}

size_t sinks_held(const struct sinks *all)
{
	size_t held = 0;

	for (size_t i = 0; i < all->count; i++) {
		if (all->items[i].kind->held != NULL)
			held += all->items[i].kind->held(&all->items[i]);
	}
	return held;
}

size_t sinks_refused(const struct sinks *all)
{
	size_t count = 0;

	for (size_t i = 0; i < all->count; i++) {
		const struct sink *s = &all->items[i];

		if (s->kind->refused != NULL && s->own != NULL)
			count += s->kind->refused(s);
	}
	return count;
}

bool sinks_have_room(const struct sinks *all)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct sink *s = &all->items[i];

		if (s->kind->has_room != NULL && !s->kind->has_room(s))
			return false;
	}
	return true;
}

enum exit_code sinks_close(struct sinks *all)
{
	enum exit_code code = EXIT_FINE;

	for (size_t i = 0; i < all->count; i++) {
		struct sink *s = &all->items[i];

		if (s->own != NULL)
			code = exit_code_worse(code, s->kind->close(s));
		if (s->lost > 0)
			code = exit_code_worse(code, EXIT_AGAIN);
		free(s->value);
	}
	all->count = 0;
	return code;
}
