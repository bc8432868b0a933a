/* broker.c - the planner's side of the work: the socket, who speaks, life. */
#include "common/work/broker_own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"

/* All that a loader says in some seconds, in which we were stopped. They are small. */
#define WAITING_MAX 1000

/* ---- messages ---- */

static void take_ready(struct broker *b, const struct bus_peer *peer, const struct wire *m)
{
	const struct slot *s = slot_ready(b, peer, m);
	struct wire_out o;

	if (!s)
		return;
	wire_begin(&o, WIRE_READY_ACK);
	wire_number(&o, b->lease_ms);
	wire_number(&o, m->number[READY_CLOCK]);
	wire_number(&o, wall_ms(wall_now()));
	if (wire_send(&o, b->socket, peer) != 0)
		log_debug("cannot answer %s", peer->name);
	if (slot_room(s))
		offer_look(b);
}

static void heard(struct bus_socket *socket, const struct bus_peer *peer,
		  const struct bus_part *parts, size_t count, void *ctx)
{
	static void (*const takes[WIRE_KIND_COUNT])(struct broker * b, const struct bus_peer *peer,
						    const struct wire *m) = {
		[WIRE_READY] = take_ready,
		[WIRE_BEAT] = beats_take,
		[WIRE_FAIL] = fails_take,
	};
	struct broker *b = ctx;
	struct wire m;

	(void)socket;
	if (wire_read(&m, parts, count) != 0 || !takes[m.kind])
		wire_blame(peer->name, parts, count);
	else
		takes[m.kind](b, peer, &m);
	wire_release(&m);
}

/* ---- life ---- */

static int listen_on(struct broker *b, const struct config_bus *settings, const char *secret)
{
	struct bus_listen how = {
		.endpoints = (const char *const *)settings->work,
		.endpoint_count = settings->work_count,
		.secret_key = secret,
		.waiting_max = WAITING_MAX,
		.heard = heard,
		.ctx = b,
	};
	char why[200];
	int rc = bus_listen_on(b->bus, &how, &b->socket, why);

	if (rc)
		log_error("bus.work: %s", why);
	return rc;
}

static int open_parts(struct broker *b, const struct config_bus *settings)
{
	const char *missing = !settings->work_count ? "bus.work, where loaders connect"
			      : !settings->key	    ? "bus.key, the planner's secret key"
			      : !settings->loaders  ? "bus.loaders, the list of who may connect"
						    : NULL;
	char *secret = NULL, why[200];
	int rc = missing ? -EINVAL : 0;

	if (missing)
		log_error("the settings lack %s; add it", missing);
	else if ((rc = config_secret(settings->key, &secret, why)))
		log_error("bus.key: %s", why);
	if (!rc && bus_allow(b->bus, settings->loaders, why) != 0)
		log_error("bus.loaders: %s; until it is mended nobody may connect", why);
	if (!rc)
		rc = listen_on(b, settings, secret);
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
	return rc;
}

struct broker *broker_open(struct loop *l, struct jobs *j, const struct config_bus *settings)
{
	struct broker *b = x_calloc(1, sizeof(*b));

	b->loop = l;
	b->jobs = j;
	b->lease_ms = settings->lease_ms;
	b->bus = bus_new(l);
	offer_open(b);
	care_open(b);
	if (open_parts(b, settings) != 0) {
		broker_free(b);
		return NULL;
	}
	return b;
}

/* The jobs must outlive it no further than to be freed: answers still under way name it. */
void broker_free(struct broker *b)
{
	if (!b)
		return;
	offer_close(b);
	care_close(b);
	slots_free(b);
	bus_socket_close(b->socket);
	bus_free(b->bus);
	free(b);
}

void broker_kick(struct broker *b)
{
	offer_look(b);
}

void broker_reload(struct broker *b)
{
	char why[200];

	if (bus_allow_reload(b->bus, why) != 0)
		log_error("bus.loaders: %s; until it is mended nobody may connect", why);
}
