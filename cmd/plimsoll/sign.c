/*
 * sign.c - `plimsoll sign`: a raw HTTP request on stdin, its SigV4 signature with every step on
 * stdout. For finding signature mistakes: compare with what the service says it expected.
 */
#include <ctype.h>
#include <errno.h>
#include <strings.h>

#include "cmd/plimsoll/command.h"
#include "common/aws/aws.h"
#include "common/aws/sigv4.h"
#include "common/base/exit_code.h"
#include "common/base/fsio.h"
#include "common/base/opt.h"
#include "common/base/unit.h"

#define REQUEST_MAX_BYTES (8u * 1024u * 1024u)

struct sign_opts {
	const char *region, *service, *time;
	bool is_plain, wants_body, keeps_path;
};

static const struct opt rows[] = {
	{"region", 0, OPT_STRING, offsetof(struct sign_opts, region), "REGION", NULL,
	 "region of the scope; default AWS_REGION"},
	{"service", 0, OPT_STRING, offsetof(struct sign_opts, service), "NAME", NULL,
	 "service of the scope, as lambda, sts or monitoring"},
	{"time", 0, OPT_STRING, offsetof(struct sign_opts, time), "TIME", NULL,
	 "signing time, as 20150830T123600Z; default the request's X-Amz-Date, else now"},
	{"plain", 0, OPT_FLAG, offsetof(struct sign_opts, is_plain), NULL, NULL,
	 "sign the headers as given plus x-amz-date and the session token only"},
	{"sign-body", 0, OPT_FLAG, offsetof(struct sign_opts, wants_body), NULL, NULL,
	 "with --plain: add x-amz-content-sha256 all the same"},
	{"no-normalize", 0, OPT_FLAG, offsetof(struct sign_opts, keeps_path), NULL, NULL,
	 "leave dot segments and double slashes of the path as they are"},
};

/* A request cut in place: its strings point into text. */
struct raw_request {
	char *method, *path, *query;
	struct http_header headers[SIGV4_HEADERS_MAX];
	size_t header_count;
	const char *body;
	size_t body_bytes;
};

/* Ends the line at *at and moves past it. */
static char *take_line(char **at, char *end)
{
	char *line = *at;
	char *newline = memchr(line, '\n', (size_t)(end - line));

	if (newline) {
		*newline = '\0';
		*at = newline + 1;
		if (newline > line && newline[-1] == '\r')
			newline[-1] = '\0';
	} else {
		*at = end;
	}
	return line;
}

/* "GET /path with spaces?a=b HTTP/1.1"; an absolute target loses scheme and authority. */
static const char *cut_request_line(char *line, struct raw_request *out)
{
	char *space = strchr(line, ' ');
	char *version = NULL;

	if (!space || space == line)
		return "the first line is not METHOD TARGET HTTP/1.1";
	*space = '\0';
	out->method = line;
	out->path = space + 1;
	for (char *p = out->path; (p = strstr(p, " HTTP/")) != NULL; p++)
		version = p;
	if (version)
		*version = '\0';
	if (!strncasecmp(out->path, "http://", 7) || !strncasecmp(out->path, "https://", 8)) {
		out->path = strstr(out->path, "://") + 3;
		out->path += strcspn(out->path, "/?");
	}
	out->query = strchr(out->path, '?');
	if (out->query)
		*out->query++ = '\0';
	return NULL;
}

/* A line that begins with space is one more value of the header before it, as AWS's own test
 * suite for signers has it. */
static const char *cut_header(char *line, struct raw_request *out)
{
	size_t count = out->header_count;
	char *colon;

	if (count == SIGV4_HEADERS_MAX)
		return "there are too many headers";
	if (*line == ' ' || *line == '\t') {
		if (count == 0)
			return "the first header line begins with a space";
		out->headers[out->header_count++] =
			(struct http_header){out->headers[count - 1].name, line};
		return NULL;
	}
	colon = strchr(line, ':');
	if (!colon)
		return "a header line has no colon";
	*colon = '\0';
	out->headers[out->header_count++] = (struct http_header){line, colon + 1};
	return NULL;
}

/* The header's value without the space before it, or NULL. */
static const char *given_header(const struct raw_request *raw, const char *name)
{
	for (size_t i = 0; i < raw->header_count; i++)
		if (!strcasecmp(raw->headers[i].name, name))
			return raw->headers[i].value + strspn(raw->headers[i].value, " \t");
	return NULL;
}

/* With a Content-Length the body is that long (an editor may have added a newline behind it). */
static void limit_body(struct raw_request *out)
{
	const char *value = given_header(out, "content-length");
	uint64_t length;

	if (value && unit_parse_u64(value, &length) == 0 && length < out->body_bytes)
		out->body_bytes = (size_t)length;
}

/* NULL, or what is wrong. */
static const char *cut_request(char *text, size_t len_bytes, struct raw_request *out)
{
	char *at = text, *end = text + len_bytes;
	const char *why = cut_request_line(take_line(&at, end), out);

	while (!why && at < end) {
		char *line = take_line(&at, end);

		if (!*line)
			break;
		why = cut_header(line, out);
	}
	out->body = at;
	out->body_bytes = (size_t)(end - at);
	limit_body(out);
	return why;
}

static enum exit_code print_signed(const struct sigv4_result *r)
{
	struct buf headers = BUF_INIT(SIGV4_MAX_BYTES);
	int rc;

	sigv4_write_headers(r, &headers);
	printf("--- canonical request\n%s\n--- string to sign\n%s\n--- headers\n",
	       buf_str(&r->canonical), buf_str(&r->string_to_sign));
	for (const char *c = buf_str(&headers); *c; c++)
		if (*c != '\r')
			putchar(*c);
	buf_release(&headers);
	rc = fflush(stdout) || ferror(stdout);
	if (rc)
		fprintf(stderr, "plimsoll sign: cannot write the answer: %s\n", strerror(errno));
	return rc ? EXIT_AGAIN : EXIT_FINE;
}

static enum exit_code refuse(const char *what, const char *todo)
{
	fprintf(stderr, "plimsoll sign: %s; %s\n", what, todo);
	return EXIT_USAGE;
}

static enum exit_code choose_time(const char *option, const struct raw_request *raw,
				  struct wall *at)
{
	const char *given = given_header(raw, "x-amz-date");

	if (option && wall_parse_basic(option, at) != 0)
		return refuse("--time is not a time", "write it as 20150830T123600Z");
	if (!option && (!given || wall_parse_basic(given, at) != 0))
		*at = wall_now();
	return EXIT_FINE;
}

static enum exit_code fill_signer(const struct sign_opts *o, struct sigv4_signer *s)
{
	s->creds.access_key_id = getenv("AWS_ACCESS_KEY_ID");
	s->creds.secret_access_key = getenv("AWS_SECRET_ACCESS_KEY");
	s->creds.session_token = getenv("AWS_SESSION_TOKEN");
	s->service = o->service;
	s->flags = (o->is_plain && !o->wants_body ? SIGV4_NO_CONTENT_SHA256 : 0u) |
		   (o->keeps_path ? SIGV4_NO_NORMALIZE : 0u);
	if (!o->service)
		return refuse("no service named", "give --service, as lambda");
	if (!s->region)
		return refuse("no region known", "give --region or set AWS_REGION");
	if (!s->creds.access_key_id || !s->creds.secret_access_key)
		return refuse("no credentials in the environment",
			      "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
	return EXIT_FINE;
}

static enum exit_code sign_text(const struct sign_opts *o, struct sigv4_signer *s, struct buf *text)
{
	struct raw_request raw = {0};
	struct sigv4_result result = {0};
	struct sigv4_request req;
	struct wall at;
	const char *why;
	enum exit_code code = fill_signer(o, s);
	int rc;

	if (code)
		return code;
	why = text->len_bytes ? cut_request(text->data, text->len_bytes, &raw)
			      : "standard input is empty";
	if (why)
		return refuse(why, "give a whole HTTP/1.1 request");
	code = choose_time(o->time, &raw, &at);
	if (code)
		return code;
	req = (struct sigv4_request){.method = raw.method,
				     .path = raw.path,
				     .query = raw.query,
				     .headers = raw.headers,
				     .header_count = raw.header_count,
				     .body = raw.body,
				     .body_bytes = raw.body_bytes};
	rc = sigv4_sign(s, &req, at, &result);
	if (rc == 0)
		code = print_signed(&result);
	else if (rc == -E2BIG)
		code = refuse("the request is too large to sign",
			      "keep head and query below 256 KiB");
	else
		code = refuse("the request cannot be signed",
			      "it needs a Host header, and no control characters in any header");
	sigv4_result_release(&result);
	sigv4_signer_release(s);
	return code;
}

static enum exit_code sign(const struct door *d)
{
	const struct sign_opts *o = d->opts;
	struct buf text = BUF_INIT(REQUEST_MAX_BYTES);
	struct sigv4_signer signer = {0};
	char *region = NULL;
	enum exit_code code;

	if (fs_read_fd(STDIN_FILENO, &text) != 0) {
		code = refuse("the request cannot be read", "give at most 8 MiB on standard input");
	} else {
		region = o->region ? x_strdup(o->region) : aws_default_region(NULL);
		signer.region = region;
		code = sign_text(o, &signer, &text);
	}
	free(region);
	buf_release(&text);
	return code;
}

const struct command command_sign = {
	.name = "sign",
	.group = "plumbing",
	.help = "shows how a raw HTTP request on stdin is signed",
	.synopsis = "--service NAME [options] < request",
	.about = "Signs the raw HTTP request on standard input with the credentials of the\n"
		 "environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN) and\n"
		 "prints canonical request, string to sign and the headers to add.",
	.exits = "  0 signed   100 the request, the options or the credentials are wrong",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.opts_bytes = sizeof(struct sign_opts),
	.run = sign,
};
