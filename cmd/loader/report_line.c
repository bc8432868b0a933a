/*
 * report_line.c - see report_line.h.
 */
#include "cmd/loader/report_line.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"

#include "cmd/loader/jsonscan.h"

#define TEXT_START "REPORT RequestId: "
#define NUMBER_MAX_BYTES 31

struct slice {
	const char *at;
	size_t len_bytes;
};

/* What a field sets. SCALE: from the unit of the line to ours. */
enum field { FIELD_DURATION, FIELD_BILLED, FIELD_INIT, FIELD_RESTORE, FIELD_MEMORY, FIELD_COUNT };

static const struct {
	const char *text_key, *text_unit, *json_pointer;
	double scale;
} fields[FIELD_COUNT] = {
	[FIELD_DURATION] = {"Duration", "ms", "/record/metrics/durationMs", 1000},
	[FIELD_BILLED] = {"Billed Duration", "ms", "/record/metrics/billedDurationMs", 1000},
	[FIELD_INIT] = {"Init Duration", "ms", "/record/metrics/initDurationMs", 1000},
	[FIELD_RESTORE] = {"Restore Duration", "ms", "/record/metrics/restoreDurationMs", 1000},
	[FIELD_MEMORY] = {"Max Memory Used", "MB", "/record/metrics/maxMemoryUsedMB", 1024},
};

struct values {
	double value[FIELD_COUNT];
	bool is_there[FIELD_COUNT];
};

static bool parse_number(const char *at, size_t len_bytes, double *out)
{
	char copy[NUMBER_MAX_BYTES + 1];
	char *end;
	double value;

	if (len_bytes == 0 || len_bytes > NUMBER_MAX_BYTES)
		return false;
	memcpy(copy, at, len_bytes);
	copy[len_bytes] = '\0';
	value = strtod(copy, &end);
	if (*end != '\0' || !(value >= 0 && value < 1e12))
		return false;
	*out = value;
	return true;
}

static uint32_t to_u32(double value)
{
	return value >= (double)UINT32_MAX ? UINT32_MAX : (uint32_t)(value + 0.5);
}

static bool fill(const struct values *v, struct report *out)
{
	struct report r = {.temperature = TEMP_WARM};

	if (!v->is_there[FIELD_DURATION])
		return false;
	r.duration_us = to_u32(v->value[FIELD_DURATION]);
	r.billed_us = to_u32(v->value[FIELD_BILLED]);
	r.memory_kib = to_u32(v->value[FIELD_MEMORY]);
	if (v->is_there[FIELD_RESTORE]) {
		r.temperature = TEMP_RESTORED;
		r.init_us = to_u32(v->value[FIELD_RESTORE]);
	} else if (v->is_there[FIELD_INIT]) {
		r.temperature = TEMP_COLD;
		r.init_us = to_u32(v->value[FIELD_INIT]);
	}
	*out = r;
	return true;
}

/* One "Key: 12.34 unit" between two tabs. */
static void take_text_field(struct slice f, struct values *v)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		size_t key_bytes = strlen(fields[i].text_key);
		size_t unit_bytes = strlen(fields[i].text_unit);
		size_t around_bytes = key_bytes + 2 + 1 + unit_bytes;

		if (f.len_bytes <= around_bytes ||
		    memcmp(f.at, fields[i].text_key, key_bytes) != 0 ||
		    memcmp(f.at + key_bytes, ": ", 2) != 0 ||
		    f.at[f.len_bytes - unit_bytes - 1] != ' ' ||
		    memcmp(f.at + f.len_bytes - unit_bytes, fields[i].text_unit, unit_bytes) != 0)
			continue;
		if (parse_number(f.at + key_bytes + 2, f.len_bytes - around_bytes, &v->value[i])) {
			v->value[i] *= fields[i].scale;
			v->is_there[i] = true;
		}
		return;
	}
}

static bool parse_text(struct slice line, struct slice *id, struct values *v)
{
	size_t start_bytes = sizeof(TEXT_START) - 1;
	const char *at = line.at, *end = line.at + line.len_bytes;

	if (line.len_bytes < start_bytes || memcmp(line.at, TEXT_START, start_bytes) != 0)
		return false;
	at += start_bytes;
	for (bool is_first = true; at < end; is_first = false) {
		const char *tab = memchr(at, '\t', (size_t)(end - at));
		struct slice f = {at, (size_t)((tab ? tab : end) - at)};

		while (f.len_bytes && f.at[f.len_bytes - 1] == ' ')
			f.len_bytes--;
		if (is_first)
			*id = f;
		else
			take_text_field(f, v);
		at = tab ? tab + 1 : end;
	}
	return true;
}

static bool parse_json(struct slice line, struct slice *id, struct values *v)
{
	struct json_slice found;

	if (line.len_bytes == 0 || line.at[0] != '{' ||
	    !json_find(line.at, line.len_bytes, "/type", &found) || found.len_bytes != 15 ||
	    memcmp(found.at, "platform.report", 15) != 0)
		return false;
	if (json_find(line.at, line.len_bytes, "/record/requestId", &found))
		*id = (struct slice){found.at, found.len_bytes};
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (json_find(line.at, line.len_bytes, fields[i].json_pointer, &found) &&
		    found.kind == JSON_SLICE_NUM &&
		    parse_number(found.at, found.len_bytes, &v->value[i])) {
			v->value[i] *= fields[i].scale;
			v->is_there[i] = true;
		}
	}
	return true;
}

bool report_parse(const char *tail, size_t len_bytes, const char *request_id, size_t id_bytes,
		  struct report *out)
{
	const char *end = tail + len_bytes;
	bool is_found = false;

	while (end > tail) {
		const char *newline = memrchr(tail, '\n', (size_t)(end - tail));
		const char *start = newline ? newline + 1 : tail;
		struct slice line = {start, (size_t)(end - start)}, id = {"", 0};
		struct values v = {0};
		struct report r;

		end = newline ? newline : tail;
		if (line.len_bytes && line.at[line.len_bytes - 1] == '\r')
			line.len_bytes--;
		if ((!parse_text(line, &id, &v) && !parse_json(line, &id, &v)) || !fill(&v, &r))
			continue;
		if (request_id && id.len_bytes == id_bytes &&
		    memcmp(id.at, request_id, id_bytes) == 0) {
			*out = r;
			return true;
		}
		if (!is_found)
			*out = r;
		is_found = true;
	}
	return is_found;
}
