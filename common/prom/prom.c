#include "common/prom/prom.h"

#include <errno.h>
#include <math.h>

#include "common/digest/digest.h"

enum scope { FUNCTION, STAGE };

struct label_row {
	const char *name;
	const char *words; /* "" = any name */
};

struct metric_row {
	const char *name, *type;
	enum scope scope;
	enum prom_label labels[PROM_LABELS_MAX];
	size_t label_count;
	const char *help;
};

static const struct label_row label_rows[PROM_LABEL_COUNT] = {
#define PROM_LABEL(symbol, name, values) [symbol] = {name, values},
#include "common/prom/metrics.def"
#undef PROM_LABEL
};

#define NO_LABELS {PL_VERDICT}, 0
#define ONE_LABEL(a) {a}, 1
#define TWO_LABELS(a, b) {a, b}, 2
static const struct metric_row metric_rows[PROM_METRIC_COUNT] = {
#define PROM_METRIC(symbol, name, type, scope, labels, help)                                       \
	[symbol] = {"plimsoll_" name, type, scope, labels, help},
#include "common/prom/metrics.def"
#undef PROM_METRIC
};

const char *prom_metric_name(enum prom_metric m)
{
	BUG_ON(m >= PROM_METRIC_COUNT);
	return metric_rows[m].name;
}

const char *prom_label_word(enum prom_label l, size_t i, char word[PROM_NAME_SIZE])
{
	const char *at = label_rows[l].words;
	size_t len;

	for (;;) {
		len = strcspn(at, " ");
		if (len == 0)
			return NULL;
		if (i-- == 0)
			break;
		at += len + strspn(at + len, " ");
	}
	snprintf(word, PROM_NAME_SIZE, "%.*s", (int)len, at);
	return word;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

static bool is_name(const char *text)
{
	size_t len = 0;

	while (is_name_char(text[len]))
		len++;
	return len > 0 && len < PROM_NAME_SIZE && text[len] == '\0';
}

static bool is_allowed(enum prom_label l, const char *value)
{
	char word[PROM_NAME_SIZE];

	if (value == NULL || !is_name(value))
		return false;
	if (label_rows[l].words[0] == '\0')
		return true;
	for (size_t i = 0; prom_label_word(l, i, word) != NULL; i++) {
		if (strcmp(word, value) == 0)
			return true;
	}
	return false;
}

static struct prom_sample *find(const struct prom *p, const struct prom_sample *like)
{
	for (size_t i = 0; i < p->count; i++) {
		struct prom_sample *s = &p->samples[i];

		if (s->metric == like->metric &&
		    memcmp(s->labels, like->labels, sizeof(s->labels)) == 0)
			return s;
	}
	return NULL;
}

int prom_set(struct prom *p, enum prom_metric m, const char *const *values, double v)
{
	const struct metric_row *row = &metric_rows[m];
	struct prom_sample s = {.metric = m, .value = v};
	struct prom_sample *known;

	BUG_ON(m >= PROM_METRIC_COUNT);
	BUG_ON(row->label_count > 0 && values == NULL);
	if (!isfinite(v))
		return -EINVAL;
	for (size_t i = 0; i < row->label_count; i++) {
		if (!is_allowed(row->labels[i], values[i]))
			return -EINVAL;
		snprintf(s.labels[i], sizeof(s.labels[i]), "%s", values[i]);
	}
	known = find(p, &s);
	if (known != NULL) {
		known->value = v;
		return 0;
	}
	if (p->count == (p->series_max > 0 ? p->series_max : PROM_SERIES_MAX))
		return -E2BIG;
	if (p->count == p->cap) {
		p->cap += PROM_SERIES_MAX;
		p->samples = x_realloc(p->samples, p->cap, sizeof(*p->samples));
	}
	p->samples[p->count++] = s;
	return 0;
}

void prom_release(struct prom *p)
{
	free(p->samples);
	*p = (struct prom)PROM_INIT;
}

void prom_escape(const char *text, bool is_label_value, struct buf *out)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			buf_adds(out, "\\\\");
		else if (*text == '\n')
			buf_adds(out, "\\n");
		else if (*text == '"' && is_label_value)
			buf_adds(out, "\\\"");
		else
			buf_addc(out, *text);
	}
}

/* The fewest digits that read back as the same double. */
static void add_number(double v, struct buf *out)
{
	char text[40];

	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	buf_adds(out, text);
}

static void write_sample(const struct prom_sample *s, struct buf *out)
{
	const struct metric_row *row = &metric_rows[s->metric];

	buf_adds(out, row->name);
	for (size_t i = 0; i < row->label_count; i++) {
		buf_addf(out, "%s%s=\"", i == 0 ? "{" : ",", label_rows[row->labels[i]].name);
		prom_escape(s->labels[i], true, out);
		buf_addc(out, '"');
	}
	buf_adds(out, row->label_count > 0 ? "} " : " ");
	add_number(s->value, out);
	buf_addc(out, '\n');
}

static void write_metric(const struct prom *p, enum prom_metric m, struct buf *out)
{
	const struct metric_row *row = &metric_rows[m];
	bool has_head = false;

	for (size_t i = 0; i < p->count; i++) {
		if (p->samples[i].metric != m)
			continue;
		if (!has_head) {
			buf_addf(out, "# HELP %s ", row->name);
			prom_escape(row->help, false, out);
			buf_addf(out, "\n# TYPE %s %s\n", row->name, row->type);
			has_head = true;
		}
		write_sample(&p->samples[i], out);
	}
}

void prom_write(const struct prom *p, struct buf *out)
{
	for (size_t m = 0; m < PROM_METRIC_COUNT; m++)
		write_metric(p, (enum prom_metric)m, out);
}

/* What stands for the signs that names have no room for; other signs become one "_". */
static const char *sign_word(const char **text)
{
	static const struct {
		const char *sign, *word;
	} words[] = {{"<=", "_le_"}, {">=", "_ge_"}, {"<", "_lt_"}, {">", "_gt_"}, {"%", "pct"}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t len = strlen(words[i].sign);

		if (strncmp(*text, words[i].sign, len) == 0) {
			*text += len;
			return words[i].word;
		}
	}
	(*text)++;
	return "_";
}

int prom_slug(const char *text, char out[PROM_NAME_SIZE])
{
	struct buf b = BUF_INIT(256);
	int rc = -EINVAL;

	while (*text != '\0') {
		char one[2] = {*text, '\0'};
		const char *add = is_name_char(*text) ? one : sign_word(&text);

		text += add == one;
		for (; *add != '\0'; add++) {
			bool is_gap = b.len_bytes == 0 || buf_str(&b)[b.len_bytes - 1] == '_';

			if (*add != '_' || !is_gap)
				buf_addc(&b, *add);
		}
	}
	while (b.len_bytes > 0 && buf_str(&b)[b.len_bytes - 1] == '_')
		buf_truncate(&b, b.len_bytes - 1);
	if (!buf_is_over(&b) && is_name(buf_str(&b))) {
		snprintf(out, PROM_NAME_SIZE, "%s", buf_str(&b));
		rc = 0;
	}
	buf_release(&b);
	return rc;
}

/* The gateway's own form for what a path cannot carry: URL-safe base64, never empty. */
static void add_base64(const char *value, struct buf *out)
{
	struct buf b = BUF_INIT(1024);

	digest_base64(value, strlen(value), &b);
	for (size_t i = 0; i < b.len_bytes; i++) {
		char c = b.data[i];

		buf_addc(out, c == '+' ? '-' : c == '/' ? '_' : c);
	}
	if (b.len_bytes == 0)
		buf_addc(out, '=');
	buf_release(&b);
}

void prom_group_path(const char *const *pairs, size_t pair_count, struct buf *out)
{
	buf_adds(out, "/metrics");
	for (size_t i = 0; i < pair_count; i++) {
		const char *name = pairs[2 * i], *value = pairs[2 * i + 1];
		bool is_dots = strcmp(value, ".") == 0 || strcmp(value, "..") == 0;

		if (is_name(value) && !is_dots) {
			buf_addf(out, "/%s/%s", name, value);
		} else {
			buf_addf(out, "/%s@base64/", name);
			add_base64(value, out);
		}
	}
}

static void add_words(const char *words, struct buf *md)
{
	if (words[0] == '\0')
		buf_adds(md, " a name");
	while (*words != '\0') {
		size_t len = strcspn(words, " ");

		buf_addf(md, " `%.*s`", (int)len, words);
		words += len + strspn(words + len, " ");
	}
}

static void reference_scope(enum scope scope, struct buf *md)
{
	buf_adds(md, "| metric | type | labels | meaning |\n|---|---|---|---|\n");
	for (size_t m = 0; m < PROM_METRIC_COUNT; m++) {
		const struct metric_row *row = &metric_rows[m];

		if (row->scope != scope)
			continue;
		buf_addf(md, "| `%s` | %s |", row->name, row->type);
		for (size_t i = 0; i < row->label_count; i++)
			buf_addf(md, "%s `%s`", i == 0 ? "" : ",", label_rows[row->labels[i]].name);
		buf_addf(md, " | %s |\n", row->help);
	}
}

void prom_reference(struct buf *md)
{
	buf_adds(md, "# Metrics\n\n"
		     "Made from `common/prom/metrics.def`; do not edit.\n\n"
		     "## Of a function\n\n"
		     "`plimsoll-sink --to pushgateway=URL` keeps one group a function: "
		     "`job=\"plimsoll\"`, `account`, `function`.\n"
		     "It is replaced as a whole after every run, and deleted when the function is "
		     "removed.\n\n");
	reference_scope(FUNCTION, md);
	buf_adds(md, "\n## Of a stage\n\nWhat the programs say about themselves.\n\n");
	reference_scope(STAGE, md);
	buf_adds(md, "\n## Labels\n\n| label | values |\n|---|---|\n");
	for (size_t l = 0; l < PROM_LABEL_COUNT; l++) {
		buf_addf(md, "| `%s` |", label_rows[l].name);
		add_words(label_rows[l].words, md);
		buf_adds(md, " |\n");
	}
}
