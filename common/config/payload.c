/*
 * payload.c - what is sent: bodies, their placeholders, the rows that fill them.
 */
#include "common/config/read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fsio.h"
#include "common/digest/digest.h"
#include "common/json/json.h"
#include "common/template/csv.h"
#include "common/template/template.h"

/* Lambda takes no more in one synchronous call. */
#define PAYLOAD_MAX_BYTES ((size_t)6 * 1024 * 1024)
#define PAYLOADS_MAX 64
#define ROWS_MAX_BYTES ((size_t)16 * 1024 * 1024) /* as the loader has it */

/* ---- rows ---- */

static bool has_ending(const char *name, const char *ending)
{
	size_t n = strlen(name), e = strlen(ending);

	return n > e && strcmp(name + n - e, ending) == 0;
}

/* Beneath the folder of data files, as the loader will look for it. */
static bool is_relative(const char *name)
{
	return *name && *name != '/' && strcmp(name, "..") != 0 && strncmp(name, "../", 3) != 0 &&
	       !strstr(name, "/../") && !has_ending(name, "/..");
}

static void csv_columns(const struct buf *bytes, struct buf *out)
{
	char *room = x_calloc(bytes->len_bytes + 1, 1);
	bool is_last = false;
	size_t len_bytes;
	struct csv c;

	csv_begin(&c, buf_str(bytes), bytes->len_bytes);
	while (!is_last && csv_field(&c, room, &len_bytes, &is_last) == 1) {
		buf_add(out, room, len_bytes);
		buf_addc(out, '\n');
	}
	free(room);
}

/* The members of the first object: every line must have what is asked for. */
static void json_columns(const struct buf *bytes, struct buf *out)
{
	const char *text = buf_str(bytes), *end = memchr(text, '\n', bytes->len_bytes);
	struct json *first = NULL, *value;
	const char *name;

	if (json_parse(text, end ? (size_t)(end - text) : bytes->len_bytes, ROWS_MAX_BYTES, &first,
		       NULL) != 0)
		return;
	for (void *it = NULL; json_next(first, &it, &name, &value);)
		buf_addf(out, "%s\n", name);
	json_free(first);
}

/* None where they cannot be told: the loader looks at every line anyway. */
static void take_columns(const struct buf *bytes, bool is_ndjson, struct config_rows *rows)
{
	struct buf out = BUF_INIT(64 * 1024);

	if (is_ndjson)
		json_columns(bytes, &out);
	else
		csv_columns(bytes, &out);
	free(rows->columns);
	rows->columns = out.len_bytes && !buf_is_over(&out) ? buf_steal(&out) : NULL;
	buf_release(&out);
}

void read_rows(struct reader *r, const struct setting *s, const struct yaml_node *v, void *target)
{
	struct config_rows *rows = (struct config_rows *)(void *)((char *)target + s->offset);
	struct buf bytes = BUF_INIT(ROWS_MAX_BYTES);
	bool is_ndjson, is_csv;
	char *path;
	int rc;

	if (!is_word_text(v) || !is_relative(v->text)) {
		wrong_value(r, s, v);
		return;
	}
	is_csv = has_ending(v->text, ".csv");
	is_ndjson = has_ending(v->text, ".ndjson") || has_ending(v->text, ".jsonl");
	if (!is_csv && !is_ndjson) {
		wrong_value(r, s, v);
		return;
	}
	path = x_asprintf("%s/%s", r->config->data_folder, v->text);
	rc = fs_read(path, &bytes);
	if (rc)
		config_errors_add(r->errs, v->place, "cannot read %s: %s, expected %s", path,
				  rc == -EFBIG ? "more than 16 MiB" : strerror(-rc),
				  "a file beneath files:");
	if (rc == 0)
		take_columns(&bytes, is_ndjson, rows);
	digest_sha256_hex(buf_str(&bytes), bytes.len_bytes, rows->sha256_hex);
	free(rows->file);
	rows->file = x_strdup(v->text);
	rows->is_ndjson = is_ndjson;
	buf_release(&bytes);
	free(path);
}

void config_rows_release(struct config_rows *rows)
{
	free(rows->file);
	free(rows->order);
	free(rows->columns);
	*rows = (struct config_rows){0};
}

static int find_column(void *ctx, const char *name, size_t len_bytes)
{
	const char *columns = ctx;

	while (*columns) {
		size_t n = strcspn(columns, "\n");

		if (n == len_bytes && memcmp(columns, name, n) == 0)
			return 0;
		columns += n + 1;
	}
	return *name == '/' ? 0 : -1; /* a JSON pointer is the loader's to follow */
}

static void missing_column(struct reader *r, struct config_place at, const struct config_rows *rows,
			   const char *name, size_t len_bytes)
{
	struct buf list = BUF_INIT(512);

	for (const char *p = rows->columns; p[1]; p++)
		if (*p == '\n')
			buf_adds(&list, ", ");
		else
			buf_addc(&list, *p);
	config_errors_add(r->errs, at, "%s has no column \"%.*s\", expected one of %s", rows->file,
			  (int)MIN_OF(len_bytes, 60), name, buf_str(&list));
	buf_release(&list);
}

/* Does the text ask for rows, and are they there with the columns it names? */
static void check_row_use(struct reader *r, const char *text, size_t len_bytes,
			  const struct config_rows *rows, struct config_place at)
{
	struct template t = {0};
	struct template_mistake m;
	size_t name_bytes;
	const char *name;

	if (template_parse(text, len_bytes, &t, &m) != 0)
		return; /* told where it was read */
	if (t.has_rows && !rows->file) {
		config_errors_add(r->errs, at,
				  "{{row...}} without rows, expected rows: and a file of them");
	} else if (t.has_rows && rows->columns) {
		name = template_bind(&t, find_column, rows->columns, &name_bytes);
		if (name)
			missing_column(r, at, rows, name, name_bytes);
	}
	template_release(&t);
}

static char *copy_of(const char *text)
{
	return text ? x_strdup(text) : NULL;
}

static void share_rows(const struct config_rows *from, struct config_rows *to)
{
	*to = *from;
	to->file = copy_of(from->file);
	to->order = copy_of(from->order);
	to->columns = copy_of(from->columns);
}

void check_rows(struct reader *r, struct config_function *f, const struct yaml_node *node)
{
	const struct yaml_node *list = yaml_get(node, "payloads"), *url = yaml_get(node, "url");
	const struct config_rows *of_url = &f->rows;

	for (size_t i = 0; i < f->payload_count; i++) {
		struct config_payload *p = &f->payloads[i];

		if (!p->rows.file && f->rows.file) {
			config_rows_release(&p->rows);
			share_rows(&f->rows, &p->rows);
		}
		if (p->filling && p->bytes)
			check_row_use(r, p->bytes, p->len_bytes, &p->rows, list->place);
		of_url = &p->rows; /* a call has one row, for its body and its url */
	}
	if (f->url && template_is_one(f->url))
		check_row_use(r, f->url, strlen(f->url), of_url, url->place);
}

/* true is JSON: what most bodies are. */
void read_filling_word(struct reader *r, const struct setting *s, const struct yaml_node *v,
		       void *target)
{
	static const struct {
		const char *word, *meaning;
	} words[] = {{"true", "json"}, {"json", "json"}, {"text", "text"}, {"false", NULL}};
	char **field = (char **)(void *)((char *)target + s->offset);

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!is_word_text(v) || strcmp(words[i].word, v->text) != 0)
			continue;
		free(*field);
		*field = words[i].meaning ? x_strdup(words[i].meaning) : NULL;
		return;
	}
	wrong_value(r, s, v);
}

/* A URL whose path and query may hold placeholders. */
void read_url_template(struct reader *r, const struct setting *s, const struct yaml_node *v,
		       void *target)
{
	const struct setting plain = {.key = s->key, .type = T_URL, .offset = s->offset};
	struct template t = {0};
	struct template_mistake m;
	const char *host, *path;
	char *before;

	if (!is_word_text(v) || !template_is_one(v->text)) {
		read_value(r, &plain, v, target);
		return;
	}
	host = strstr(v->text, "://");
	path = host ? host + 3 + strcspn(host + 3, "/?{") : v->text;
	before = x_strndup(v->text, (size_t)(path - v->text));
	if (!form_is_url(before) || *path == '{')
		config_errors_add(r->errs, v->place,
				  "url is no URL, expected one such as "
				  "https://host/items/{{row.id}}, placeholders in path and query "
				  "only");
	else if (template_parse(path, strlen(path), &t, &m) != 0)
		config_errors_add(r->errs, place_in(v, (size_t)(path - v->text) + m.at_byte), "%s",
				  m.why);
	else
		*(char **)(void *)((char *)target + s->offset) = x_strdup(v->text);
	template_release(&t);
	free(before);
}

/* ---- payloads ---- */

static struct config_payload *add_payload(const struct setting *s, void *target)
{
	struct config_payload **items =
		(struct config_payload **)(void *)((char *)target + s->offset);
	size_t *count = (size_t *)(void *)((char *)target + s->count_offset);

	*items = x_realloc(*items, *count + 1, sizeof(**items));
	(*items)[*count] = (struct config_payload){.weight = 1};
	return &(*items)[(*count)++];
}

void read_payload(struct reader *r, const struct setting *s, const struct yaml_node *v,
		  void *target)
{
	struct config_payload *p;

	if (v->type != YAML_T_SCALAR) {
		wrong_value(r, s, v);
		return;
	}
	p = add_payload(s, target);
	p->bytes = x_strndup(v->text, v->len_bytes);
	p->len_bytes = v->len_bytes;
}

static void read_payload_file(struct reader *r, const struct yaml_node *v, struct config_payload *p)
{
	struct buf bytes = BUF_INIT(PAYLOAD_MAX_BYTES);
	char *path = path_beside(v->place.file, v->text);
	int rc = fs_read(path, &bytes);

	if (rc == -EFBIG)
		config_errors_add(r->errs, v->place,
				  "file %s is larger than 6 MiB, expected what "
				  "one call can carry",
				  path);
	else if (rc)
		config_errors_add(r->errs, v->place,
				  "cannot read %s: %s, expected a file that can "
				  "be read",
				  path, strerror(-rc));
	p->len_bytes = bytes.len_bytes;
	p->bytes = buf_steal(&bytes);
	free(path);
}

/* How values are filled in, and which rows they come from. */
static void read_filling(struct reader *r, const struct yaml_node *e, struct config_payload *p)
{
	static const char *const keys[] = {"template", "rows", "rows_order"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct yaml_node *v = yaml_get(e, keys[i]);

		if (v)
			read_value(r, section_row(&section_payload, keys[i]), v, p);
	}
}

/* Mistakes of a file are told where its name stands, with their place in it. */
static void check_template(struct reader *r, const struct config_payload *p,
			   const struct yaml_node *v, bool is_file)
{
	struct template t = {0};
	struct template_mistake m;
	size_t line = 1, column = 1;

	if (!p->bytes || template_parse(p->bytes, p->len_bytes, &t, &m) == 0) {
		template_release(&t);
		return;
	}
	for (size_t i = 0; i < m.at_byte; i++) {
		column = p->bytes[i] == '\n' ? 1 : column + 1;
		line += p->bytes[i] == '\n';
	}
	if (is_file)
		config_errors_add(r->errs, v->place, "%s:%zu:%zu: %s", v->text, line, column,
				  m.why);
	else
		config_errors_add(r->errs, place_in(v, m.at_byte), "%s", m.why);
}

static void read_one_payload(struct reader *r, const struct setting *s, const struct yaml_node *e,
			     void *target)
{
	const struct entry_label label = {"payload", "", e->place};
	const struct setting *weight = section_row(&section_payload, "weight");
	const struct yaml_node *file, *text, *w;
	struct config_payload *p;

	if (!is_map(r, e, "a payload"))
		return;
	check_keys(r, &section_payload, e, NULL, &label);
	file = yaml_get(e, "file");
	text = yaml_get(e, "text");
	if (!file == !text) {
		config_errors_add(r->errs, e->place,
				  "a payload with %s, expected one of file and text",
				  file ? "both" : "neither");
		return;
	}
	if (!is_word_text(file ? file : text)) {
		wrong_value(r, section_row(&section_payload, file ? "file" : "text"),
			    file ? file : text);
		return;
	}
	p = add_payload(s, target);
	w = yaml_get(e, "weight");
	if (w)
		read_value(r, weight, w, p);
	if (file) {
		read_payload_file(r, file, p);
	} else {
		p->bytes = x_strndup(text->text, text->len_bytes);
		p->len_bytes = text->len_bytes;
	}
	read_filling(r, e, p);
	if (p->filling)
		check_template(r, p, file ? file : text, !text);
}

void read_payloads(struct reader *r, const struct setting *s, const struct yaml_node *v,
		   void *target)
{
	if (!is_setting_list(r, s, v))
		return;
	if (v->count == 0 || v->count > PAYLOADS_MAX) {
		config_errors_add(r->errs, v->place, "payloads holds %zu, expected 1 to %d",
				  v->count, PAYLOADS_MAX);
		return;
	}
	for (size_t i = 0; i < v->count; i++)
		read_one_payload(r, s, v->entries[i].value, target);
}
