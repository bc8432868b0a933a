/* reference.c - docs/CONFIG.md, from the rows. */
#include <string.h>

#include "common/config/config.h"
#include "common/config/metric.h"
#include "common/config/settings.h"

static const char head[] =
	"# Configuration reference\n\n"
	"One file, `plimsoll.yaml`, and beside it `conf.d/*.yaml` in the order of their names; "
	"what they\n"
	"say is joined, and nothing may be said in two of them. YAML 1.1, so JSON is fine too. At "
	"most\n"
	"1 MiB a file. `plimsoll check` tells every mistake with file, line and column.\n\n"
	"- `${NAME}` in a text is replaced from the environment (not in payloads and "
	"`body_contains`).\n"
	"- A secret is `file:/path`, `credential:NAME` (systemd's `LoadCredential=`), `${NAME}`, "
	"or the\n"
	"  text itself. It is read when it is needed, and appears in no event and no log.\n"
	"- Paths are relative to the file that names them.\n"
	"- Durations `30s` `5m` `1h30m` `7d`, rates `10/s`, money `0.50 USD`, ratios `10%`, "
	"percentage\n"
	"  points `0.5pp`.\n\n"
	"This page is made from the tables in `common/config/settings.c`.\n";

/* A cell may hold no bar and no line break. */
static void add_cell(const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (*text == '|')
			buf_adds(out, "\\|");
		else
			buf_addc(out, *text);
	}
}

static void add_row(const struct setting *s, struct buf *out)
{
	struct buf expected = BUF_INIT(2048);

	setting_expected(s, &expected);
	buf_addf(out, "| `%s` | ", s->key);
	add_cell(buf_str(&expected), out);
	buf_adds(out, " | ");
	if (s->default_text)
		buf_addf(out, "`%s`", s->default_text);
	else if (s->is_required)
		buf_adds(out, "*required*");
	buf_adds(out, " | ");
	add_cell(s->doc, out);
	if (s->only) {
		buf_adds(out, "; with ");
		add_words(s->only, out);
	}
	buf_adds(out, " |\n");
	buf_release(&expected);
}

static void add_section(const struct section *sec, struct buf *out)
{
	buf_addf(out, "\n### `%s`\n\n%s\n", sec->name, sec->doc);
	if (sec->count == 0)
		buf_adds(out, "\nNo settings: `{}`.\n");
	else
		buf_adds(
			out,
			"\n| key | what it takes | default | what it means |\n|---|---|---|---|\n");
	for (size_t i = 0; i < sec->count; i++)
		add_row(&sec->rows[i], out);
	for (size_t i = 0; i < sec->count; i++) {
		if (sec->rows[i].rows)
			add_section(sec->rows[i].rows, out);
	}
}

static void add_metrics(struct buf *out)
{
	buf_adds(out,
		 "\nWithout it: gates `response_p50` at 10% and `error_ratio` at 0.5pp; report "
		 "`response_p95`, `init_p50`, `cold_response_p50`, `restore_p50`, `billed_p50`, "
		 "`memory_max`, `cost_per_million`.\n"
		 "\n| metric | unit | what it is |\n|---|---|---|\n");
	for (size_t i = 0; i < metric_table_count; i++)
		buf_addf(out, "| `%s` | %s | %s |\n", metric_table[i].name, metric_table[i].unit,
			 metric_table[i].doc);
}

void config_reference(struct buf *out)
{
	buf_adds(out, head);
	buf_adds(out, "\n| key | what stands there |\n|---|---|\n");
	for (size_t i = 0; i < top_key_count; i++) {
		buf_addf(out, "| `%s` | ", top_keys[i].key);
		add_cell(top_keys[i].doc, out);
		buf_adds(out, " |\n");
	}
	for (size_t i = 0; i < top_key_count; i++) {
		const struct top_key *top = &top_keys[i];

		if (top->sections)
			buf_addf(out, "\n## `%s`\n", top->key);
		if (top->shape == TOP_METRICS)
			add_metrics(out);
		for (const struct section *const *s = top->sections; s && *s; s++)
			add_section(*s, out);
	}
}
