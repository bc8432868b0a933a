/*
 * lanes.c - see lanes.h.
 */
#include "cmd/loader/lanes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/config/config.h"

#define REQUEST_MAX_BYTES (256u * 1024u)
#define AHEAD_PAYLOADS_MAX 8 /* with more, preparing all costs more than it saves */

static int read_headers(struct lanes *ln, size_t i, char why[SHARD_WHY_SIZE])
{
	const struct shard_target *t = &ln->shard->targets[i];
	char reason[200];

	ln->header_values[i] = x_calloc(SHARD_HEADERS_MAX, sizeof(char *));
	for (size_t h = 0; h < t->header_count; h++) {
		char *ref = x_asprintf("credential:%s", t->headers[h].credential);
		char **value = &ln->header_values[i][h];
		int rc = config_secret(ref, value, reason);

		free(ref);
		if (rc != 0) {
			snprintf(why, SHARD_WHY_SIZE, "header %s: %s", t->headers[h].name, reason);
			return rc;
		}
		if (strpbrk(*value, "\r\n")) {
			snprintf(why, SHARD_WHY_SIZE,
				 "header %s: the credential holds more than one line",
				 t->headers[h].name);
			return -EINVAL;
		}
	}
	return 0;
}

int lanes_init(struct lanes *ln, const struct shard *sh, const struct session *session,
	       const char *folder, char why[SHARD_WHY_SIZE])
{
	size_t count = sh->workload.variant_count;
	int rc = 0;

	memset(ln, 0, sizeof(*ln));
	ln->shard = sh;
	ln->session = session;
	ln->items = x_calloc(count * sh->payload_count, sizeof(*ln->items));
	target_scratch_init(&ln->scratch);
	for (size_t i = 0; i < count && rc == 0; i++) {
		ln->kinds[i] = target_kind(sh->targets[i].method);
		ln->signers[i] = (struct sigv4_signer){
			.region = sh->targets[i].region,
			.service = "lambda",
		};
		rc = read_headers(ln, i, why);
	}
	return rc == 0 ? render_init(&ln->render, sh, folder, why) : rc;
}

static void release_all(struct prepared *all)
{
	struct prepared *next;

	for (struct prepared *p = all; p; p = next) {
		BUG_ON(p->users);
		next = p->next;
		if (p->bytes.data)
			digest_wipe(p->bytes.data, p->bytes.cap_bytes);
		buf_release(&p->bytes);
		engine_request_release(&p->request);
		free(p);
	}
}

void lanes_release(struct lanes *ln)
{
	if (!ln->shard)
		return;
	for (size_t i = 0; i < ln->shard->workload.variant_count * ln->shard->payload_count; i++)
		release_all(ln->items[i].all);
	release_all(ln->singles);
	render_release(&ln->render);
	free(ln->items);
	for (size_t i = 0; i < VARIANT_COUNT; i++) {
		for (size_t h = 0; ln->header_values[i] && h < SHARD_HEADERS_MAX; h++) {
			char *value = ln->header_values[i][h];

			if (value)
				digest_wipe(value, strlen(value));
			free(value);
		}
		free(ln->header_values[i]);
		sigv4_signer_release(&ln->signers[i]);
	}
	target_scratch_release(&ln->scratch);
	memset(ln, 0, sizeof(*ln));
}

static struct prepared *new_prepared(struct prepared **all)
{
	struct prepared *p = x_calloc(1, sizeof(*p));

	buf_init(&p->bytes, REQUEST_MAX_BYTES);
	p->next = *all;
	*all = p;
	return p;
}

static struct prepared *unused(struct lane *lane)
{
	for (struct prepared *p = lane->all; p; p = p->next)
		if (p->users == 0)
			return p;
	return new_prepared(&lane->all);
}

static struct prepared *take_spare(struct lanes *ln)
{
	struct prepared *p = ln->spare;

	if (!p) {
		p = new_prepared(&ln->singles);
		p->lanes = ln;
		return p;
	}
	ln->spare = p->next_spare;
	return p;
}

static int set_request(struct prepared *p, const struct shard_target *t, char why[SHARD_WHY_SIZE])
{
	int rc = engine_request_set(&p->request, p->bytes.data, p->bytes.len_bytes);

	if (rc != 0)
		snprintf(why, SHARD_WHY_SIZE, "the request has no head");
	else if (t->protocol != ENGINE_HTTP1) {
		rc = engine_request_add_fields(&p->request, t->is_tls);
		if (rc != 0)
			snprintf(why, SHARD_WHY_SIZE,
				 "the request has too many headers for HTTP/2");
	}
	return rc;
}

static int fill(struct lanes *ln, size_t i, struct target_request *rq, struct prepared *p,
		char why[SHARD_WHY_SIZE])
{
	int rc;

	rq->shard = ln->shard;
	rq->target = &ln->shard->targets[i];
	rq->signer = &ln->signers[i];
	rq->header_values = (const char *const *)ln->header_values[i];
	p->generation = 0;
	if (ln->kinds[i]->needs_credentials) {
		ln->signers[i].creds = aws_creds_view(&ln->session->creds);
		p->generation = ln->session->generation;
		if (ln->last_generation != ln->session->generation)
			ln->sessions_used++;
		ln->last_generation = ln->session->generation;
	}
	buf_clear(&p->bytes);
	rc = ln->kinds[i]->prepare(rq, &ln->scratch, &p->bytes, why);
	if (rc == 0)
		rc = set_request(p, rq->target, why);
	/* The view must not outlive the keys, which may be swapped and wiped. */
	ln->signers[i].creds = (struct sigv4_creds){0};
	return rc;
}

static int get_shared(struct lanes *ln, size_t i, uint16_t payload, struct wall due,
		      struct prepared **out, char why[SHARD_WHY_SIZE])
{
	struct lane *lane = &ln->items[i * ln->shard->payload_count + payload];
	int64_t second = ln->kinds[i]->needs_credentials ? wall_s(due) : 0;
	const struct shard_target *t = &ln->shard->targets[i];
	struct prepared *p = lane->now;
	int rc;

	if (!p || p->second != second || !lanes_is_fresh(ln, i, p)) {
		p = unused(lane);
		p->second = second;
		rc = fill(ln, i,
			  &(struct target_request){.payload = &ln->shard->payloads[payload],
						   .path = t->path,
						   .query = t->query,
						   .at = wall_from_s(wall_s(due))},
			  p, why);
		lane->now = rc == 0 ? p : NULL;
		if (rc != 0)
			return rc;
	}
	p->users++;
	*out = p;
	return 0;
}

static int get_single(struct lanes *ln, size_t i, const struct place *place, struct wall due,
		      struct prepared **out, char why[SHARD_WHY_SIZE])
{
	const struct shard_target *t = &ln->shard->targets[i];
	struct prepared *p = take_spare(ln);
	struct target_request rq = {
		.payload = &ln->render.payload,
		.path = t->path,
		.query = t->query,
		.at = wall_from_s(wall_s(due)),
	};
	int rc;

	render_call(&ln->render, i, place->payload, place->pair);
	if (t->path_template) {
		rq.path = buf_str(&ln->render.path);
		rq.query = NULL;
	}
	rc = buf_is_over(&ln->render.body) || buf_is_over(&ln->render.path) ? -E2BIG : 0;
	if (rc != 0)
		snprintf(why, SHARD_WHY_SIZE, "the request is too long");
	else
		rc = fill(ln, i, &rq, p, why);
	p->users = 1;
	if (rc != 0)
		lanes_put(p);
	else
		*out = p;
	return rc;
}

bool lanes_is_single(const struct lanes *ln, size_t i, uint16_t payload)
{
	return render_is_needed(&ln->render, i, payload);
}

uint64_t lanes_generation(const struct lanes *ln)
{
	return ln->session ? ln->session->generation : 0;
}

bool lanes_is_fresh(const struct lanes *ln, size_t i, const struct prepared *p)
{
	return !ln->kinds[i]->needs_credentials || p->generation == ln->session->generation;
}

int lanes_get(struct lanes *ln, size_t i, const struct place *place, struct wall due,
	      struct prepared **out, char why[SHARD_WHY_SIZE])
{
	if (lanes_is_single(ln, i, place->payload))
		return get_single(ln, i, place, due, out, why);
	return get_shared(ln, i, place->payload, due, out, why);
}

void lanes_put(struct prepared *p)
{
	BUG_ON(p->users == 0);
	if (--p->users > 0 || !p->lanes)
		return;
	p->next_spare = p->lanes->spare;
	p->lanes->spare = p;
}

void lanes_ahead(struct lanes *ln, struct wall due)
{
	char why[SHARD_WHY_SIZE];
	struct prepared *p;

	if (ln->shard->payload_count > AHEAD_PAYLOADS_MAX)
		return;
	for (size_t i = 0; i < ln->shard->workload.variant_count; i++)
		for (uint16_t k = 0; k < ln->shard->payload_count; k++)
			if (!lanes_is_single(ln, i, k) && get_shared(ln, i, k, due, &p, why) == 0)
				lanes_put(p);
}
