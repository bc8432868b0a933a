/*
 * render.c - see render.h.
 */
#include "cmd/loader/render.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/loader/datafile.h"

enum part { PART_PATH = 1, PART_BODY, PART_ROW };

static const enum template_escape escapes[] = {
	[PAYLOAD_AS_IT_IS] = TEMPLATE_PLAIN,
	[PAYLOAD_JSON] = TEMPLATE_JSON,
	[PAYLOAD_TEXT] = TEMPLATE_PLAIN,
};

static int find_column(void *ctx, const char *name, size_t len_bytes)
{
	return rows_column(ctx, name, len_bytes);
}

/* Columns of text become the rows' wanted ones. */
static int read_template(const char *text, size_t len_bytes, const char *what, struct rows *rows,
			 bool has_file, struct template *out, char why[SHARD_WHY_SIZE])
{
	struct template_mistake mistake;
	size_t name_bytes;
	const char *name;
	int rc = template_parse(text, len_bytes, out, &mistake);

	if (rc != 0) {
		snprintf(why, SHARD_WHY_SIZE, "%s, byte %zu: %s", what, mistake.at_byte,
			 mistake.why);
		return rc;
	}
	if (out->has_rows && !has_file) {
		snprintf(why, SHARD_WHY_SIZE, "%s: {{row...}} without a file of rows", what);
		return -EINVAL;
	}
	name = template_bind(out, find_column, rows, &name_bytes);
	if (name) {
		snprintf(why, SHARD_WHY_SIZE, "%s: more than %d columns", what, ROWS_COLUMNS_MAX);
		return -E2BIG;
	}
	return 0;
}

static int read_rows(const struct shard_payload *p, const char *folder, struct rows *rows,
		     char why[SHARD_WHY_SIZE])
{
	char file_why[DATAFILE_WHY_SIZE], rows_why[ROWS_WHY_SIZE];
	struct buf text;
	int rc;

	if (!p->rows_file || rows->column_count == 0)
		return 0;
	rc = datafile_read(folder, p->rows_file, p->rows_sha256_hex, RENDER_ROWS_MAX_BYTES, &text,
			   file_why);
	if (rc != 0) {
		snprintf(why, SHARD_WHY_SIZE, "%s", file_why);
		return rc;
	}
	rc = rows_read(rows, buf_str(&text), text.len_bytes, p->is_ndjson ? ROWS_NDJSON : ROWS_CSV,
		       rows_why);
	if (rc != 0)
		snprintf(why, SHARD_WHY_SIZE, "file %.100s: %s", p->rows_file, rows_why);
	buf_release(&text);
	return rc;
}

static struct template *path_of(const struct render *r, size_t i, uint16_t payload)
{
	return &r->paths[i * r->shard->payload_count + payload];
}

static int init_payload(struct render *r, uint16_t k, const char *folder, char why[SHARD_WHY_SIZE])
{
	const struct shard *sh = r->shard;
	const struct shard_payload *p = &sh->payloads[k];
	struct render_payload *own = &r->payloads[k];
	int rc = 0;

	if (p->filling != PAYLOAD_AS_IT_IS)
		rc = read_template(p->bytes, p->len_bytes, "the payload", &own->rows,
				   p->rows_file != NULL, &own->body, why);
	for (size_t i = 0; i < sh->workload.variant_count && rc == 0; i++)
		if (sh->targets[i].path_template)
			rc = read_template(sh->targets[i].path_template,
					   strlen(sh->targets[i].path_template), "the url",
					   &own->rows, p->rows_file != NULL, path_of(r, i, k), why);
	return rc == 0 ? read_rows(p, folder, &own->rows, why) : rc;
}

/* What is filled in is encoded; the rest of the path must be clean as it stands. */
static int check_paths(struct render *r, char why[SHARD_WHY_SIZE])
{
	for (size_t i = 0; i < r->shard->workload.variant_count; i++) {
		const char *path = buf_str(&r->path);

		if (!r->shard->targets[i].path_template)
			continue;
		render_call(r, i, 0, 0);
		for (path = buf_str(&r->path); *path; path++) {
			if ((unsigned char)*path > ' ' && *path != 0x7f && *path != '#')
				continue;
			snprintf(why, SHARD_WHY_SIZE,
				 "the url holds a blank, a # or a control character outside of "
				 "its placeholders");
			return -EINVAL;
		}
	}
	return 0;
}

int render_init(struct render *r, const struct shard *sh, const char *folder,
		char why[SHARD_WHY_SIZE])
{
	int rc = 0;

	memset(r, 0, sizeof(*r));
	r->shard = sh;
	r->payloads = x_calloc(sh->payload_count, sizeof(*r->payloads));
	r->paths = x_calloc(sh->payload_count * sh->workload.variant_count, sizeof(*r->paths));
	buf_init(&r->path, RENDER_MAX_BYTES);
	buf_init(&r->body, RENDER_MAX_BYTES);
	for (uint16_t k = 0; k < sh->payload_count && rc == 0; k++)
		rc = init_payload(r, k, folder, why);
	return rc == 0 ? check_paths(r, why) : rc;
}

void render_release(struct render *r)
{
	size_t count = r->shard ? r->shard->payload_count : 0;

	for (size_t k = 0; k < count; k++) {
		template_release(&r->payloads[k].body);
		rows_release(&r->payloads[k].rows);
	}
	for (size_t k = 0; k < count * (count ? r->shard->workload.variant_count : 0); k++)
		template_release(&r->paths[k]);
	free(r->payloads);
	free(r->paths);
	buf_release(&r->path);
	buf_release(&r->body);
	memset(r, 0, sizeof(*r));
}

bool render_is_needed(const struct render *r, size_t i, uint16_t payload)
{
	return r->shard->targets[i].path_template != NULL ||
	       r->shard->payloads[payload].filling != PAYLOAD_AS_IT_IS;
}

static struct rng rng_of(const struct workload *w, uint64_t pair, enum part part)
{
	struct rng rng = {w->seed};

	rng.state = rng_next(&rng) ^ w->shard_index;
	rng.state = rng_next(&rng) ^ pair;
	rng.state = rng_next(&rng) ^ (uint64_t)part;
	return rng;
}

static const struct template_cell *row_of(const struct render *r, uint16_t payload, uint64_t pair,
					  uint64_t seq)
{
	const struct rows *rows = &r->payloads[payload].rows;
	struct rng rng = rng_of(&r->shard->workload, pair, PART_ROW);

	if (rows->count == 0)
		return NULL;
	if (r->shard->payloads[payload].is_random)
		return rows_at(rows, (size_t)rng_below(&rng, rows->count));
	return rows_at(rows, (size_t)(seq % rows->count));
}

void render_call(struct render *r, size_t i, uint16_t payload, uint64_t pair)
{
	const struct workload *w = &r->shard->workload;
	const struct shard_payload *p = &r->shard->payloads[payload];
	const struct template *path = path_of(r, i, payload);
	uint64_t seq = pair * MAX_OF(w->shard_of, 1) + w->shard_index;
	struct rng rng = rng_of(w, pair, PART_PATH);
	struct template_values v = {
		.rng = &rng,
		.seq = seq,
		.variant = variant_name(r->shard->targets[i].variant),
		.run = r->shard->run,
		.row = row_of(r, payload, pair, seq),
	};

	buf_clear(&r->path);
	if (r->shard->targets[i].path_template)
		template_fill(path, &v, TEMPLATE_URL, &r->path);
	r->payload = (struct shard_payload){.bytes = p->bytes, .len_bytes = p->len_bytes};
	if (p->filling == PAYLOAD_AS_IT_IS)
		return;
	rng = rng_of(w, pair, PART_BODY);
	buf_clear(&r->body);
	template_fill(&r->payloads[payload].body, &v, escapes[p->filling], &r->body);
	r->payload.bytes = r->body.data ? r->body.data : p->bytes;
	r->payload.len_bytes = r->body.len_bytes;
}
