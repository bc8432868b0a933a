/*
 * reference.c - docs/EVENTS.md, from the tables.
 */
#include "common/event/field.h"

#include <inttypes.h>

static const struct {
	const char *filled_by, *doc;
} kinds[EV_KIND_COUNT] = {
	[EV_FUNCTION_CHANGED] = {"watcher", "A function was added or changed, and is ready."},
	[EV_FUNCTION_REMOVED] = {"watcher",
				 "A function is gone: two \"not found\" answers some time apart."},
	[EV_RUN_PLANNED] = {"planner", "What will be tested and how it will be judged; also when "
				       "nothing will run (`skip`, `refuse`)."},
	[EV_SHARD_PLANNED] = {"planner", "One piece of load for one loader."},
	[EV_SHARD_PROGRESS] = {"loader", "Once a second; may be lost anywhere."},
	[EV_SHARD_FINISHED] = {"loader",
			       "What was measured. A foreign loader may leave out `due`, "
			       "`outcomes`, `blocks` and `quality` and give `samples_ms`."},
	[EV_MEASUREMENT] = {"any program", "A figure of another tool."},
	[EV_RUN_FINISHED] = {"collector", "The verdict, with everything a sink needs."},
};

static const char *const type_names[F_TYPE_COUNT] = {
#define X(symbol, name) [F_##symbol] = name,
	FIELD_TYPES(X)
#undef X
};

static const char intro[] =
	"# Events\n\n"
	"This page is made from common/event/fields.def; change it there.\n\n"
	"Between the stages flow CloudEvents 1.0 in structured JSON, one object a line. A stage\n"
	"refuses an event that breaks a row below (it is counted and kept with `--reject`); "
	"members\n"
	"without a row are allowed everywhere, and lines of other types are passed on unchanged.\n"
	"`null` stands for an absent member. `name[]` is each element of an array, `*` each "
	"member\n"
	"of an object. A row is required of each parent that is there.\n\n";

static const char calls[] =
	"## The packed calls\n\n"
	"`shard.finished` `data.calls` is base64 of one header and one record a call, version 1,\n"
	"little-endian:\n\n"
	"| bytes | header |\n|---|---|\n"
	"| 4 | `PLC1` |\n"
	"| u32 | number of records, at most 10,000 |\n"
	"| u32 | 1: every round is here; k: every k-th whole round |\n\n"
	"| bytes | record |\n|---|---|\n"
	"| i32 | due, us since the measured part began; negative in the warm-up |\n"
	"| u32 | round |\n"
	"| u8 | bit 0 variant (0 old, 1 new), bits 1 to 7 outcome: 0 ok, 1 function_error, "
	"2 throttled, 3 http_error, 4 timeout, 5 connect, 6 tls, 7 dns, 8 aborted, 9 not_sent |\n"
	"| u8 | temperature: 0 unknown, 1 warm, 2 cold, 3 restored |\n"
	"| u16 | 1 + index into `instances[]`; 0 = unknown |\n"
	"| u32 x 5 | response us, service us, billed us, init us, memory KiB; 0 = not known |\n"
	"| u8 | length of the request id: 0 to 36; 16 = the bytes of a UUID; a text of 16 goes as "
	"17, with a NUL |\n"
	"| ... | the request id |\n";

static void cell(struct buf *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '|')
			buf_addc(out, '\\');
		buf_addc(out, *p);
	}
}

static void type_cell(struct buf *out, const struct field *f)
{
	if (f->type != F_WORD) {
		buf_adds(out, type_names[f->type]);
		return;
	}
	for (const char *w = f->words; *w;) {
		size_t len_bytes = strcspn(w, "|");

		buf_addf(out, "%s`%.*s`", w == f->words ? "" : " ", (int)len_bytes, w);
		w += len_bytes + (w[len_bytes] != '\0');
	}
}

static void row(struct buf *out, const struct field *f)
{
	buf_addf(out, "| `%s` | ", f->path);
	type_cell(out, f);
	buf_addf(out, " | %s | ", f->is_required ? "yes" : "");
	if (f->max)
		buf_addf(out, "%" PRId64, f->max);
	buf_addf(out, " | %s | ", f->unit);
	cell(out, f->doc);
	buf_adds(out, " |\n");
}

static void table(struct buf *out, uint32_t kind_bit, bool has_envelope)
{
	buf_adds(out, "| member | type | required | at most | unit | what |\n"
		      "|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < event_field_count; i++) {
		const struct field *f = &event_fields[i];
		bool is_envelope = strncmp(f->path, "data.", 5) != 0;

		if ((f->kinds & kind_bit) && is_envelope == has_envelope)
			row(out, f);
	}
	buf_addc(out, '\n');
}

void event_reference(struct buf *markdown)
{
	static const size_t max_bytes[EV_KIND_COUNT] = {
#define X(symbol, type, max) [symbol] = max,
		EVENT_KINDS(X)
#undef X
	};

	buf_adds(markdown, intro);
	buf_adds(markdown, "## Every event\n\n");
	table(markdown, EV_BIT(EV_RUN_PLANNED), true);
	for (int k = 0; k < EV_KIND_COUNT; k++) {
		buf_addf(markdown, "## %s\n\n%s Filled by: %s. At most %zu bytes a line.\n\n",
			 event_kind_type((enum event_kind)k), kinds[k].doc, kinds[k].filled_by,
			 max_bytes[k]);
		table(markdown, EV_BIT(k), false);
	}
	buf_adds(markdown, calls);
}
