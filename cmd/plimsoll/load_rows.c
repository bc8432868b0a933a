/* load_rows.c - placeholders in data and URL, and the file of their values; see load_target.h. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "cmd/plimsoll/load_target.h"
#include "common/template/template.h"

#define ROWS_MAX_BYTES (16u * 1024u * 1024u)

static int check(const char *what, const char *text, size_t len_bytes, struct buf *why)
{
	struct template_mistake m;
	struct template t = {0};
	int rc = template_parse(text, len_bytes, &t, &m);

	template_release(&t);
	return rc ? buf_refuse(why, "--template: %s, byte %zu: %s", what, m.at_byte, m.why) : 0;
}

/* What begins as JSON is filled in as JSON. */
static const char *filling_of(const struct load_payload *p)
{
	const char *at = p->bytes + strspn(p->bytes, " \t\r\n");

	return *at && strchr("{[\"", *at) ? "json" : "text";
}

static int read_order(const struct load_call *call, struct load_rows *r, struct buf *why)
{
	static const char *const known[] = {"in-order", "random"};

	r->order = known[0];
	for (size_t i = 0; call->rows_order && i < ARRAY_LEN(known); i++)
		if (!strcmp(known[i], call->rows_order))
			r->order = known[i];
	if (call->rows_order && strcmp(r->order, call->rows_order) != 0)
		return buf_refuse(why, "--rows-order %s: expected in-order or random",
				  call->rows_order);
	return 0;
}

static int read_rows(const struct load_call *call, struct load_target *t, struct load_rows *r,
		     struct buf *why)
{
	const char *dot = strrchr(call->rows, '.');
	struct load_file file = {0};
	struct buf text;
	int rc;

	r->format = dot && !strcasecmp(dot, ".csv") ? "csv" : "ndjson";
	rc = load_file_read("--rows", call->rows, ROWS_MAX_BYTES, &file, &text, why);
	buf_release(&text);
	if (rc)
		return rc;
	r->file = file.name;
	memcpy(r->sha256_hex, file.sha256_hex, sizeof(r->sha256_hex));
	t->files = file.folder;
	return read_order(call, r, why);
}

static int give_rows(const struct load_call *call, struct load_target *t, struct buf *why)
{
	int rc;

	if (!t->payload_count)
		load_target_add_payload(t, x_strdup(""));
	rc = read_rows(call, t, &t->payloads[0].rows, why);
	for (size_t i = 1; i < t->payload_count && !rc; i++) {
		t->payloads[i].rows = t->payloads[0].rows;
		t->payloads[i].rows.file = x_strdup(t->payloads[0].rows.file);
	}
	return rc;
}

int load_target_fill(const struct load_call *call, struct load_target *t, struct buf *why)
{
	int rc = 0;

	if (!call->has_templates)
		return call->rows || call->rows_order
			       ? buf_refuse(why, "--rows and --rows-order are for --template")
			       : 0;
	t->is_template = template_is_one(t->url);
	if (t->is_template)
		rc = check("the URL", t->url, strlen(t->url), why);
	for (size_t i = 0; i < t->payload_count && !rc; i++) {
		t->payloads[i].filling = filling_of(&t->payloads[i]);
		rc = check("the data", t->payloads[i].bytes, t->payloads[i].len_bytes, why);
	}
	return !rc && call->rows ? give_rows(call, t, why) : rc;
}
