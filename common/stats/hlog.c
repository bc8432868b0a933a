/*
 * hlog.c - one line of a histogram log.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/unit.h"
#include "common/stats/hlog.h"

struct cursor {
	const char *at, *end;
};

static bool starts_with(const struct cursor *c, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(c->end - c->at) >= len && memcmp(c->at, word, len) == 0;
}

/* The text up to a character, which is passed over; false when it does not come. */
static bool take_until(struct cursor *c, char stop, struct cursor *out)
{
	const char *found = memchr(c->at, stop, (size_t)(c->end - c->at));

	if (!found)
		return false;
	*out = (struct cursor){c->at, found};
	c->at = found + 1;
	return true;
}

static bool to_number(const struct cursor *field, double *out)
{
	char text[64];
	size_t len = (size_t)(field->end - field->at);

	if (len == 0 || len >= sizeof(text))
		return false;
	memcpy(text, field->at, len);
	text[len] = '\0';
	return unit_parse_double(text, out) == 0;
}

static int parse_comment(struct cursor c, struct hlog_entry *out)
{
	static const struct {
		const char *word;
		enum hlog_kind kind;
	} words[] = {{"#[StartTime: ", HLOG_START_TIME}, {"#[BaseTime: ", HLOG_BASE_TIME}};
	struct cursor field;

	out->kind = HLOG_COMMENT;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct cursor rest = c;

		if (!starts_with(&c, words[i].word))
			continue;
		rest.at += strlen(words[i].word);
		if (!take_until(&rest, ' ', &field) || !to_number(&field, &out->start_s))
			return -EINVAL;
		out->kind = words[i].kind;
	}
	return 0;
}

static bool parse_tag(struct cursor *c, struct hlog_entry *out)
{
	struct cursor tag;

	if (!starts_with(c, "Tag="))
		return true;
	c->at += strlen("Tag=");
	if (!take_until(c, ',', &tag))
		return false;
	size_t len = MIN_OF((size_t)(tag.end - tag.at), sizeof(out->tag) - 1);
	memcpy(out->tag, tag.at, len);
	return true;
}

static int parse_interval(struct cursor c, struct hlog_entry *out)
{
	double *const numbers[] = {&out->start_s, &out->length_s, &out->max};
	struct cursor field;

	if (!parse_tag(&c, out))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (!take_until(&c, ',', &field) || !to_number(&field, numbers[i]))
			return -EINVAL;
	}
	out->kind = HLOG_INTERVAL;
	return hdr_decode_any(c.at, (size_t)(c.end - c.at), &out->hist);
}

int hlog_parse(const char *line, size_t len_bytes, struct hlog_entry *out)
{
	struct cursor c = {line, line + len_bytes};

	*out = (struct hlog_entry){.kind = HLOG_COMMENT};
	while (c.end > c.at && (c.end[-1] == '\r' || c.end[-1] == ' '))
		c.end--;
	if (c.at == c.end)
		return 0;
	if (*c.at == '#')
		return parse_comment(c, out);
	if (*c.at == '"') {
		out->kind = HLOG_LEGEND;
		return 0;
	}
	return parse_interval(c, out);
}

void hlog_release(struct hlog_entry *e)
{
	hdr_free(e->hist);
	e->hist = NULL;
}

void hlog_write_head(struct buf *out, double start_s)
{
	buf_adds(out, "#[Histogram log format version 1.3]\n");
	buf_addf(out, "#[StartTime: %.3f (seconds since epoch)]\n", start_s);
	buf_adds(out, "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
		      "\"Interval_Compressed_Histogram\"\n");
}

void hlog_write_interval(struct buf *out, const char *tag, double start_s, double length_s,
			 const struct hdr *h)
{
	if (tag && *tag)
		buf_addf(out, "Tag=%s,", tag);
	buf_addf(out, "%.3f,%.3f,%.3f,", start_s, length_s, (double)hdr_max(h) / 1000.0);
	hdr_encode(h, out);
	buf_addc(out, '\n');
}
