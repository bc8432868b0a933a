#include "cmd/sink/merge.h"

#include "common/prom/prom.h"

#define METRIC_MAX_BYTES (64u * 1024u * 1024u)

static struct buf *metric_of(struct merge *m, const char *name, size_t name_bytes, bool *is_new)
{
	char *key = x_strndup(name, name_bytes);
	struct buf *text = strmap_get(&m->metrics, key);

	*is_new = text == NULL;
	if (*is_new) {
		text = x_calloc(1, sizeof(*text));
		buf_init(text, METRIC_MAX_BYTES);
		strmap_put(&m->metrics, key, text);
	}
	free(key);
	return text;
}

/* name 1 -> name{whose} 1, name{a="b"} 1 -> name{whose,a="b"} 1 */
static void add_sample(struct buf *out, const char *line, size_t len_bytes, const struct buf *whose)
{
	size_t name_bytes = strcspn(line, "{ ");

	buf_add(out, line, name_bytes);
	buf_addf(out, "{%s", buf_str(whose));
	if (line[name_bytes] == '{') {
		buf_addc(out, ',');
		buf_add(out, line + name_bytes + 1, len_bytes - name_bytes - 1);
	} else {
		buf_addc(out, '}');
		buf_add(out, line + name_bytes, len_bytes - name_bytes);
	}
	buf_addc(out, '\n');
}

static void name_whose(const char *account, const char *function, struct buf *whose)
{
	buf_adds(whose, "account=\"");
	prom_escape(account, true, whose);
	buf_adds(whose, "\",function=\"");
	prom_escape(function, true, whose);
	buf_addc(whose, '"');
}

void merge_add(struct merge *m, const char *account, const char *function, const char *page)
{
	struct buf whose = BUF_INIT(4096);
	struct buf *metric = NULL;
	bool is_new = false;

	name_whose(account, function, &whose);
	for (size_t len; *page; page += len + (page[len] == '\n')) {
		len = strcspn(page, "\n");
		if (!strncmp(page, "# HELP ", 7))
			metric = metric_of(m, page + 7, strcspn(page + 7, " \n"), &is_new);
		BUG_ON(!metric); /* prom_write begins every metric with its HELP */
		if (*page != '#') {
			add_sample(metric, page, len, &whose);
		} else if (is_new) {
			buf_add(metric, page, len);
			buf_addc(metric, '\n');
		}
	}
	buf_release(&whose);
}

void merge_write(const struct merge *m, struct buf *out)
{
	for (size_t i = 0; i < m->metrics.count; i++) {
		const struct buf *text = m->metrics.items[i].value;

		buf_add(out, buf_str(text), text->len_bytes);
	}
}

static void free_text(void *text)
{
	buf_release(text);
	free(text);
}

void merge_release(struct merge *m)
{
	strmap_release(&m->metrics, free_text);
}
