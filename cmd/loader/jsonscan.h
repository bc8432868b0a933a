/*
 * jsonscan.h - one value out of a JSON text by its pointer, without building a tree.
 *
 * An answer is looked at once per call, inside the send loop, so nothing is allocated and the
 * text is read once, front to back. It is not a validator: a text that is cut short or broken
 * behind the value may still give the value. Everything else that is JSON goes through common/json.
 *
 *	struct json_slice v;
 *	if (json_find(body, len, "/ctx/cold", &v) && v.kind == JSON_SLICE_TRUE) ...
 *
 * Limits: keys that hold escapes never match; a string is handed out with its escapes as they are:
 * json_slice_is_text() compares what they mean.
 */
#ifndef PLIMSOLL_LOADER_JSONSCAN_H
#define PLIMSOLL_LOADER_JSONSCAN_H

#include <stdbool.h>
#include <stddef.h>

enum json_slice_kind {
	JSON_SLICE_STR, /* without its quotes */
	JSON_SLICE_NUM,
	JSON_SLICE_TRUE,
	JSON_SLICE_FALSE,
	JSON_SLICE_NULL,
	JSON_SLICE_OTHER, /* an object or a list, with its brackets */
};

struct json_slice {
	enum json_slice_kind kind;
	const char *at; /* borrowed from the text; not NUL-terminated */
	size_t len_bytes;
};

/* RFC 6901 pointer ("" = the whole text). False when absent or when the text is not JSON. */
bool json_find(const char *text, size_t len_bytes, const char *pointer, struct json_slice *out);
/* Is a string, its escapes undone, this UTF-8 text? */
bool json_slice_is_text(const struct json_slice *v, const char *text, size_t len_bytes);
/* A string with its escapes undone, anything else as it is; never longer than the slice. Returns
 * how many bytes were written. */
size_t json_slice_text(const struct json_slice *v, char *out);
/* A number's value. False when it is none, or longer than any that means something. */
bool json_slice_number(const struct json_slice *v, double *out);

#endif
