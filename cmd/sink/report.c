#include "cmd/sink/report.h"

#include "cmd/sink/details.h"
#include "cmd/sink/figures.h"
#include "cmd/sink/gate.h"
#include "common/base/table.h"

#define WORD_COLUMNS 13 /* "no-difference" */

static const struct {
	const char *word;
	enum text_style style;
} words[] = {
	{"better", TEXT_GOOD},
	{"no-difference", TEXT_GOOD},
	{"worse", TEXT_BAD},
	{"cannot-tell", TEXT_UNSURE},
	{"not-compared", TEXT_BOLD},
	{"skipped", TEXT_DIM},
	{"failed", TEXT_BAD},
	{"refused", TEXT_BAD},
	{"incomplete", TEXT_BAD},
	{"cancelled", TEXT_BAD},
	{"invalid", TEXT_UNSURE},
	{"suspect", TEXT_UNSURE},
	{"worse (unconfirmed)", TEXT_BAD},
	{"met", TEXT_GOOD},
	{"missed", TEXT_BAD},
	{"unknown", TEXT_UNSURE},
	{"removed", TEXT_BOLD},
};

enum text_style report_style(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(words) && word != NULL; i++) {
		if (strcmp(words[i].word, word) == 0)
			return words[i].style;
	}
	return TEXT_PLAIN;
}

static bool is_word(const char *a, const char *b)
{
	return a != NULL && strcmp(a, b) == 0;
}

/* The word in front: the verdict of a valid run, else what became of it. */
static const char *head_word(const struct json *data)
{
	const char *outcome = json_get_str(data, "outcome");
	const char *verdict = json_get_str(data, "verdict");

	if (!is_word(outcome, "valid"))
		return outcome ? outcome : "unknown";
	return verdict ? verdict : "cannot-tell";
}

static void add_word(const char *word, const struct look *look, struct buf *out)
{
	text_add(out, word, report_style(word), look->has_colour);
	buf_addf(out, "%*s", (int)MAX_OF(WORD_COLUMNS + 2 - (int)text_width(word), 2), "");
}

static void add_versions(const struct json *data, struct buf *out)
{
	const struct json *variants = json_get(data, "variants");
	const char *old = json_get_str(json_named(variants, "old"), "qualifier");
	const char *new = json_get_str(json_named(variants, "new"), "qualifier");

	if (old != NULL && new != NULL)
		buf_addf(out, "  %s → %s", old, new);
	else if (new != NULL)
		buf_addf(out, "  %s", new);
}

static void add_change(const struct json *data, struct buf *out)
{
	const struct json *causes = json_at(data, "change.causes");
	const char *kind = json_str(json_at(data, "change.kind"));
	const char *purpose = json_str(json_at(data, "run.purpose"));

	if (json_len(causes) == 0 && kind != NULL)
		buf_addf(out, "  %s", kind);
	for (size_t i = 0; i < json_len(causes); i++) {
		const char *cause = json_str(json_elem(causes, i));

		buf_addf(out, "%s%s", i == 0 ? "  " : ", ", cause ? cause : "?");
	}
	if (purpose != NULL && !is_word(purpose, "change") && !is_word(purpose, kind ? kind : ""))
		buf_addf(out, "  (%s)", purpose);
}

static void add_head(const struct event *ev, const char *word, const struct look *look,
		     struct buf *out)
{
	add_word(is_word(word, "worse") ? gate_verdict_text(ev->data) : word, look, out);
	text_add(out, ev->subject ? ev->subject : "?", TEXT_BOLD, look->has_colour);
	add_versions(ev->data, out);
	add_change(ev->data, out);
	buf_addc(out, '\n');
}

static void add_line(const char *text, struct buf *out)
{
	if (text != NULL && *text != '\0')
		buf_addf(out, "%*s%s\n", WORD_COLUMNS + 2, "", text);
}

static void add_why(const struct json *data, struct buf *out)
{
	const char *verdict = json_get_str(data, "verdict");
	const char *reason = json_get_str(data, "reason");
	const char *verdict_reason = json_get_str(data, "verdict_reason");
	bool is_valid = is_word(json_get_str(data, "outcome"), "valid");
	bool is_compared = !is_word(verdict, "not-compared");

	add_line(reason, out);
	/* A run that was not made has one reason, and that was it. */
	if ((is_valid || is_compared) && !(reason != NULL && is_word(verdict_reason, reason)))
		add_line(verdict_reason, out);
	if (is_valid && !is_compared)
		add_line("Nothing was compared: only the objectives, if any, were judged (run "
			 "--dry-run says "
			 "why).",
			 out);
	if (is_word(verdict, "worse") && json_get_bool(data, "is_confirmed", false))
		add_line("A second run confirmed it.", out);
	else if (is_word(verdict, "worse") && json_get_bool(data, "confirm_wanted", false))
		add_line("Not confirmed by a second run yet; plimsoll run measures it again.", out);
}

static bool was_made(const struct json *data)
{
	return json_len(json_get(data, "metrics")) > 0 || json_len(json_get(data, "requests")) > 0;
}

void report_run(const struct event *ev, const struct look *look, struct buf *out)
{
	add_head(ev, head_word(ev->data), look, out);
	add_why(ev->data, out);
	if (!was_made(ev->data))
		return;
	details_metrics(ev->data, look, out);
	details_rest(ev->data, look, out);
	buf_addc(out, '\n');
}

void report_amendment(const struct event *ev, const char *before, const struct look *look,
		      struct buf *out)
{
	const char *word = head_word(ev->data);

	add_word(is_word(word, "worse") ? gate_verdict_text(ev->data) : word, look, out);
	text_add(out, ev->subject ? ev->subject : "?", TEXT_BOLD, look->has_colour);
	buf_addf(out, "  amended, ");
	if (before == NULL || is_word(before, word))
		buf_adds(out, "the verdict stands");
	else
		buf_addf(out, "it was %s", before);
	buf_addf(out, "; run %s\n", ev->run ? ev->run : "?");
	if (before != NULL && !is_word(before, word))
		add_why(ev->data, out);
	details_amended(ev->data, look, out);
}

void report_removed(const struct event *ev, const struct look *look, struct buf *out)
{
	add_word("removed", look, out);
	text_add(out, ev->subject ? ev->subject : "?", TEXT_BOLD, look->has_colour);
	buf_addc(out, '\n');
}

/* Whole characters of text, as many as fit. */
static void add_cut(const char *text, size_t width, struct buf *out)
{
	for (; *text != '\0' && width > 0; text++) {
		buf_addc(out, *text);
		width -= ((unsigned char)text[1] & 0xc0) != 0x80;
	}
}

void report_progress(const struct event *ev, size_t others, size_t width, struct buf *out)
{
	int64_t total_ms = json_get_int(ev->data, "total_ms", 0);
	int64_t elapsed_ms = json_get_int(ev->data, "elapsed_ms", 0);
	struct json *outcomes = json_get(ev->data, "outcomes"), *count;
	struct buf line = BUF_INIT(1024);
	char p50[FIGURE_SIZE];
	const char *outcome;
	void *it = NULL;

	buf_addf(&line, "%s  %lld s", ev->subject ? ev->subject : "?",
		 (long long)(elapsed_ms / 1000));
	if (total_ms > 0)
		buf_addf(&line, " of %lld", (long long)((total_ms + 999) / 1000));
	while (json_next(outcomes, &it, &outcome, &count))
		buf_addf(&line, "  %lld %s", (long long)json_int(count), outcome);
	if (json_get(ev->data, "p50_us") != NULL) {
		figure_value(json_get(ev->data, "p50_us"), "us", p50);
		buf_addf(&line, "  p50 %s", p50);
	}
	if (json_int(json_at(ev->data, "shard.of")) > 1)
		buf_addf(&line, "  (1 of %lld loaders)",
			 (long long)json_int(json_at(ev->data, "shard.of")));
	if (others > 0)
		buf_addf(&line, "  (and %zu more)", others);
	add_cut(buf_str(&line), width, out);
	buf_release(&line);
}

bool report_is_first_seen(const struct event *ev)
{
	const struct json *causes = json_at(ev->data, "change.causes");

	if (!is_word(json_get_str(ev->data, "outcome"), "skipped"))
		return false;
	for (size_t i = 0; i < json_len(causes); i++) {
		if (is_word(json_str(json_elem(causes, i)), "first-seen"))
			return true;
	}
	return false;
}

void report_inventory(size_t functions, size_t accounts, const char *account,
		      const struct look *look, struct buf *out)
{
	add_word("noted", look, out);
	buf_addf(out, "%zu function%s seen for the first time in ", functions,
		 functions == 1 ? "" : "s");
	if (accounts == 1)
		buf_adds(out, account);
	else
		buf_addf(out, "%zu accounts", accounts);
	buf_adds(out, "; a change of one will be tested\n");
}
