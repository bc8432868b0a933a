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
	       char why[SHARD_WHY_SIZE])
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
	return rc;
}

static void release_lane(struct lane *lane)
{
	struct prepared *next;

	for (struct prepared *p = lane->all; p; p = next) {
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
		release_lane(&ln->items[i]);
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

static struct prepared *unused(struct lane *lane)
{
	struct prepared *p;

	for (p = lane->all; p; p = p->next)
		if (p->users == 0)
			return p;
	p = x_calloc(1, sizeof(*p));
	buf_init(&p->bytes, REQUEST_MAX_BYTES);
	p->next = lane->all;
	lane->all = p;
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

static int fill(struct lanes *ln, size_t i, uint16_t payload, struct wall at, struct prepared *p,
		char why[SHARD_WHY_SIZE])
{
	struct target_request rq = {
		.shard = ln->shard,
		.target = &ln->shard->targets[i],
		.payload = &ln->shard->payloads[payload],
		.signer = &ln->signers[i],
		.header_values = (const char *const *)ln->header_values[i],
		.at = at,
	};
	int rc;

	if (ln->kinds[i]->needs_credentials) {
		ln->signers[i].creds = aws_creds_view(&ln->session->creds);
		if (ln->last_generation != ln->session->generation)
			ln->sessions_used++;
		ln->last_generation = ln->session->generation;
	}
	buf_clear(&p->bytes);
	rc = ln->kinds[i]->prepare(&rq, &ln->scratch, &p->bytes, why);
	if (rc == 0)
		rc = set_request(p, rq.target, why);
	/* The view must not outlive the keys, which may be swapped and wiped. */
	ln->signers[i].creds = (struct sigv4_creds){0};
	return rc;
}

int lanes_get(struct lanes *ln, size_t i, uint16_t payload, struct wall due, struct prepared **out,
	      char why[SHARD_WHY_SIZE])
{
	struct lane *lane = &ln->items[i * ln->shard->payload_count + payload];
	bool is_signed = ln->kinds[i]->needs_credentials;
	int64_t second = is_signed ? wall_s(due) : 0;
	uint64_t generation = is_signed ? ln->session->generation : 0;
	struct prepared *p = lane->now;
	int rc;

	if (!p || p->second != second || p->generation != generation) {
		p = unused(lane);
		p->second = second;
		p->generation = generation;
		rc = fill(ln, i, payload, wall_from_s(wall_s(due)), p, why);
		lane->now = rc == 0 ? p : NULL;
		if (rc != 0)
			return rc;
	}
	p->users++;
	*out = p;
	return 0;
}

void lanes_put(struct prepared *p)
{
	BUG_ON(p->users == 0);
	p->users--;
}

void lanes_ahead(struct lanes *ln, struct wall due)
{
	char why[SHARD_WHY_SIZE];
	struct prepared *p;

	if (ln->shard->payload_count > AHEAD_PAYLOADS_MAX)
		return;
	for (size_t i = 0; i < ln->shard->workload.variant_count; i++)
		for (uint16_t k = 0; k < ln->shard->payload_count; k++)
			if (lanes_get(ln, i, k, due, &p, why) == 0)
				lanes_put(p);
}
