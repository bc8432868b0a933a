#include "common/engine/http2_parts.h"

/* RFC 9113 7, by number. */
#define CODES(X)                                                                                   \
	X(NO_ERROR)                                                                                \
	X(PROTOCOL_ERROR)                                                                          \
	X(INTERNAL_ERROR)                                                                          \
	X(FLOW_CONTROL_ERROR)                                                                      \
	X(SETTINGS_TIMEOUT)                                                                        \
	X(STREAM_CLOSED)                                                                           \
	X(FRAME_SIZE_ERROR)                                                                        \
	X(REFUSED_STREAM)                                                                          \
	X(CANCEL)                                                                                  \
	X(COMPRESSION_ERROR)                                                                       \
	X(CONNECT_ERROR)                                                                           \
	X(ENHANCE_YOUR_CALM)                                                                       \
	X(INADEQUATE_SECURITY)                                                                     \
	X(HTTP_1_1_REQUIRED)

#define RESET_TEXT(name) "the stream was reset by the server: " #name,
#define GOAWAY_TEXT(name) "refused by GOAWAY: " #name,

static const char *const resets[] = {CODES(RESET_TEXT)};
static const char *const goaways[] = {CODES(GOAWAY_TEXT)};

const char *http2_why_reset(uint32_t code)
{
	return code < ARRAY_LEN(resets) ? resets[code] : "the stream was reset by the server";
}

const char *http2_why_goaway(uint32_t code)
{
	return code < ARRAY_LEN(goaways) ? goaways[code] : "refused by GOAWAY";
}

#define MALFORMED "malformed headers, or a body of another length than said"

static const struct {
	int error;
	const char *why;
} errors[] = {
	{NGHTTP2_ERR_SETTINGS_EXPECTED, "the server does not speak HTTP/2"},
	{NGHTTP2_ERR_FLOODED, "a flood of frames that carry nothing"},
	{NGHTTP2_ERR_FLOW_CONTROL, "flow control was broken"},
	{NGHTTP2_ERR_HTTP_MESSAGING, MALFORMED},
	{NGHTTP2_ERR_HTTP_HEADER, "malformed headers"},
	{NGHTTP2_ERR_NOMEM, "no memory for the connection"},
};

const char *http2_why_error(int error)
{
	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		if (errors[i].error == error)
			return errors[i].why;
	return "the server broke the rules of HTTP/2";
}

const char *http2_why_ours(uint32_t code)
{
	return code == NGHTTP2_PROTOCOL_ERROR ? MALFORMED : http2_why_error(0);
}
