#include "common/aws/answer.h"

#include <errno.h>
#include <strings.h>

#include "common/aws/xml.h"
#include "common/base/unit.h"
#include "common/json/json.h"

#define ERROR_BODY_MAX_BYTES (64u * 1024u)
#define RETRY_AFTER_MAX_S 3600

/* The services' words. advice NULL = that of the fault. First match counts. */
static const struct word {
	const char *code;
	enum aws_fault fault;
	const char *advice;
} words[] = {
	{"ThrottlingException", AWS_THROTTLED, NULL},
	{"Throttling", AWS_THROTTLED, NULL},
	{"ThrottledException", AWS_THROTTLED, NULL},
	{"TooManyRequestsException", AWS_THROTTLED, NULL},
	{"RequestThrottled", AWS_THROTTLED, NULL},
	{"RequestThrottledException", AWS_THROTTLED, NULL},
	{"RequestLimitExceeded", AWS_THROTTLED, NULL},
	{"SlowDown", AWS_THROTTLED, NULL},
	{"ResourceNotFoundException", AWS_NOT_FOUND, NULL},
	{"ResourceNotFound", AWS_NOT_FOUND, NULL},
	{"NoSuchEntity", AWS_NOT_FOUND, NULL},
	{"AccessDeniedException", AWS_DENIED, NULL},
	{"AccessDenied", AWS_DENIED, NULL},
	{"UnauthorizedOperation", AWS_DENIED, NULL},
	{"ExpiredTokenException", AWS_EXPIRED, NULL},
	{"ExpiredToken", AWS_EXPIRED, NULL},
	{"RequestExpired", AWS_BAD_SIGNATURE, "set this machine's clock (NTP)"},
	{"RequestTimeTooSkewed", AWS_BAD_SIGNATURE, "set this machine's clock (NTP)"},
	{"InvalidSignatureException", AWS_BAD_SIGNATURE, NULL},
	{"SignatureDoesNotMatch", AWS_BAD_SIGNATURE, NULL},
	{"IncompleteSignature", AWS_BAD_SIGNATURE, NULL},
	{"IncompleteSignatureException", AWS_BAD_SIGNATURE, NULL},
	{"UnrecognizedClientException", AWS_NO_CREDENTIALS, NULL},
	{"InvalidClientTokenId", AWS_NO_CREDENTIALS, NULL},
	{"InvalidAccessKeyId", AWS_NO_CREDENTIALS, NULL},
	{"MissingAuthenticationTokenException", AWS_NO_CREDENTIALS, NULL},
	{"MissingAuthenticationToken", AWS_NO_CREDENTIALS, NULL},
	{"InvalidIdentityToken", AWS_DENIED,
	 "the web identity token is not one that the role's identity provider accepts; check the "
	 "token file and the provider's audience"},
	{"IDPRejectedClaim", AWS_DENIED,
	 "the web identity token is expired or its audience or subject is not allowed; get a new "
	 "token"},
	{"RegionDisabledException", AWS_BAD_REQUEST, "enable the region for STS, or use another"},
	{"PackedPolicyTooLarge", AWS_BAD_REQUEST, "test fewer functions in one run"},
	{"MalformedPolicyDocument", AWS_BAD_REQUEST, NULL},
	{"ResourceConflictException", AWS_CONFLICT, NULL},
	{"PreconditionFailedException", AWS_CONFLICT, NULL},
	{"ServiceException", AWS_SERVER, NULL},
	{"InternalFailure", AWS_SERVER, NULL},
	{"ServiceUnavailable", AWS_SERVER, NULL},
};

static const struct {
	int from, to;
	enum aws_fault fault;
} statuses[] = {
	{429, 429, AWS_THROTTLED}, {404, 404, AWS_NOT_FOUND},	{401, 401, AWS_NO_CREDENTIALS},
	{403, 403, AWS_DENIED},	   {409, 409, AWS_CONFLICT},	{412, 412, AWS_CONFLICT},
	{408, 408, AWS_SERVER},	   {400, 499, AWS_BAD_REQUEST}, {500, 599, AWS_SERVER},
};

/* What a person does about it; %s is the permission, or "the call". */
static const char *const advice[AWS_FAULT_COUNT] = {
	[AWS_THROTTLED] = "too many calls; it is tried again later",
	[AWS_NOT_FOUND] = "check the name, the account and the region",
	[AWS_DENIED] = "allow %s to these credentials",
	[AWS_EXPIRED] = "the session is over; renew these credentials",
	[AWS_BAD_SIGNATURE] =
		"the secret access key does not belong to the access key, or something "
		"on the way changed the request; check the secret (plimsoll sign shows "
		"what was signed)",
	[AWS_NO_CREDENTIALS] = "the access key or the session token is not known there; check "
			       "which credentials are "
			       "used and whether they are still active",
	[AWS_BAD_REQUEST] = "check the configuration of the account",
	[AWS_CONFLICT] = "it is being changed by someone else; try again later",
	[AWS_SERVER] = "the service has trouble; try again later",
};

static void cut_code(const char *from, char *out, size_t out_size)
{
	const char *hash = strrchr(from, '#');

	from = hash ? hash + 1 : from;
	(void)snprintf(out, out_size, "%.*s", (int)strcspn(from, ":,; "), from);
}

static void read_json(const struct http_response *r, struct aws_error *err, char *message,
		      size_t message_size)
{
	static const char *const code_names[] = {"__type", "code", "Code"};
	static const char *const message_names[] = {"message", "Message", "errorMessage"};
	struct json *v;

	if (json_parse(buf_str(&r->body), r->body.len_bytes, ERROR_BODY_MAX_BYTES, &v, NULL) != 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(code_names) && !*err->code; i++) {
		const char *code = json_get_str(v, code_names[i]);

		if (code)
			cut_code(code, err->code, sizeof(err->code));
	}
	for (size_t i = 0; i < ARRAY_LEN(message_names) && !*message; i++) {
		const char *text = json_get_str(v, message_names[i]);

		if (text)
			(void)snprintf(message, message_size, "%s", text);
	}
	json_free(v);
}

static void read_xml(const struct http_response *r, struct aws_error *err, char *message,
		     size_t message_size)
{
	struct buf code = BUF_INIT(sizeof(err->code)), text = BUF_INIT(message_size);

	if (xml_text(buf_str(&r->body), r->body.len_bytes, "Code", &code) == 0 && !*err->code)
		(void)snprintf(err->code, sizeof(err->code), "%s", buf_str(&code));
	if (xml_text(buf_str(&r->body), r->body.len_bytes, "Message", &text) == 0)
		(void)snprintf(message, message_size, "%s", buf_str(&text));
	buf_release(&code);
	buf_release(&text);
}

static const struct word *find_word(const char *code)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(words[i].code, code))
			return &words[i];
	return NULL;
}

static enum aws_fault fault_of_status(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (status >= statuses[i].from && status <= statuses[i].to)
			return statuses[i].fault;
	return AWS_OTHER;
}

static int64_t read_retry_after(const struct http_response *r)
{
	char text[32];
	uint64_t s;

	if (!http_response_header(r, "retry-after", text, sizeof(text)) ||
	    unit_parse_u64(text, &s) != 0)
		return 0;
	return (int64_t)MIN_OF(s, (uint64_t)RETRY_AFTER_MAX_S) * 1000;
}

/* A clock that is off looks like a bad signature; only the message tells. */
static const char *advice_for(const struct word *w, enum aws_fault fault, const char *message)
{
	if (fault == AWS_BAD_SIGNATURE &&
	    (strstr(message, "expired") || strstr(message, "not yet current")))
		return "this machine's clock is off; set it (NTP)";
	if (w && w->advice)
		return w->advice;
	return advice[fault] ? advice[fault] : "see the service's message";
}

/* Appends the advice, with what is missing in the place of its %s. */
static void add_advice(struct buf *out, const char *text, const char *permission)
{
	const char *hole = strstr(text, "%s");

	if (hole) {
		buf_add(out, text, (size_t)(hole - text));
		buf_adds(out, permission ? permission : "the call");
		text = hole + 2;
	}
	buf_adds(out, text);
}

static void explain(const struct answer_context *c, const char *why, const char *todo,
		    struct aws_error *err)
{
	struct buf text = BUF_INIT(4096);

	buf_addf(&text, "cannot %s", c->what ? c->what : "call AWS");
	if (c->host && err->status)
		buf_addf(&text, " at %s", c->host);
	buf_addf(&text, ": %s", why);
	if (c->origin && *c->origin && err->fault != AWS_NETWORK)
		buf_addf(&text, " (credentials: %s)", c->origin);
	buf_adds(&text, "; ");
	add_advice(&text, todo, c->permission);
	(void)snprintf(err->text, sizeof(err->text), "%s", buf_str(&text));
	buf_release(&text);
}

int answer_refused(const struct http_response *r, const struct answer_context *c,
		   struct aws_error *err)
{
	char message[300] = "", header[120] = "", why[440];
	const struct word *w;

	*err = (struct aws_error){.status = r->status, .retry_after_ms = read_retry_after(r)};
	if (http_response_header(r, "x-amzn-errortype", header, sizeof(header)))
		cut_code(header, err->code, sizeof(err->code));
	if (*buf_str(&r->body) == '<')
		read_xml(r, err, message, sizeof(message));
	else
		read_json(r, err, message, sizeof(message));
	w = find_word(err->code);
	err->fault = w ? w->fault : fault_of_status(r->status);
	(void)snprintf(why, sizeof(why), "HTTP %d%s%s%s%s", r->status, *err->code ? " " : "",
		       err->code, *message ? ": " : "", message);
	explain(c, why, advice_for(w, err->fault, message), err);
	return aws_fault_errno(err->fault);
}

int answer_failed(int rc, const struct http_response *r, const struct answer_context *c,
		  struct aws_error *err)
{
	*err = (struct aws_error){.fault = rc == -ECANCELED ? AWS_STOPPED : AWS_NETWORK};
	if (rc == -EINVAL)
		err->fault = AWS_BAD_REQUEST;
	if (rc == -EFBIG)
		err->fault = AWS_BAD_ANSWER;
	explain(c, r->why,
		rc == -EINVAL ? "check endpoint: and AWS_ENDPOINT_URL"
			      : "check the network, the endpoint and ca_file",
		err);
	return aws_fault_errno(err->fault);
}
