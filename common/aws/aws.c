#include "common/aws/aws.h"

#include <errno.h>

#include "common/aws/answer.h"
#include "common/aws/signed.h"
#include "common/base/log.h"
#include "common/base/rng.h"

#define BUDGET_NS (60 * NS_PER_S) /* a call with all its repeats */
#define BACKOFF_FIRST_MS INT64_C(200)
#define BACKOFF_MAX_MS INT64_C(10000)
#define NAP_NS (100 * NS_PER_MS)

static const char *const signing_names[] = {
#define X(symbol, signing, ...) [symbol] = signing,
	AWS_SERVICES(X)
#undef X
};

/* How often a call is tried again after each kind of refusal. */
static const unsigned repeats_of[AWS_FAULT_COUNT] = {
	[AWS_THROTTLED] = 6,
	[AWS_SERVER] = 3,
	[AWS_NETWORK] = 2,
	[AWS_EXPIRED] = 1,
};

struct aws_client {
	char *account, *region, *endpoints[AWS_SERVICE_COUNT];
	struct http *http;
	struct limiter *limiter;
	struct aws_chain *chain;
	struct rng rng; /* of the jitter */
	bool (*is_stopped)(void *ctx);
	void *stop_ctx;
};

void aws_options_from_account(const struct config_account *a, struct aws_options *o)
{
	*o = (struct aws_options){.account = "default"};
	if (!a)
		return;
	o->account = a->name;
	o->region = a->region;
	o->profile = a->profile;
	o->endpoint = a->endpoint;
	o->ca_file = a->ca_file;
	o->role = a->role;
	o->external_id = a->external_id;
}

static void open_http(struct aws_client *c, const struct aws_options *o)
{
	const char *bundle = getenv("AWS_CA_BUNDLE");

	c->http = http_new(&(struct http_options){
		.ca_file = o->ca_file	       ? o->ca_file
			   : bundle && *bundle ? bundle
					       : NULL,
		.is_stopped = o->is_stopped,
		.stop_ctx = o->stop_ctx,
	});
}

static void open_chain(struct aws_client *c, const struct aws_options *o)
{
	c->chain = aws_chain_new(&(struct aws_chain_options){
		.http = c->http,
		.region = c->region,
		.profile = o->profile,
		.endpoint = o->endpoint,
		.role = o->role,
		.external_id = o->external_id,
		.session_name = o->session_name,
		.policy = o->policy,
		.duration_s = o->duration_s,
		.limiter = c->limiter,
		.is_stopped = o->is_stopped,
		.stop_ctx = o->stop_ctx,
	});
}

int aws_client_new(const struct aws_options *o, struct aws_client **out, struct aws_error *err)
{
	const char *account = o->account ? o->account : "default";
	double per_s = o->calls_per_s > 0 ? o->calls_per_s : LIMITER_PER_S;
	struct aws_client *c = x_calloc(1, sizeof(*c));
	int rc;

	c->account = x_strdup(account);
	c->region = o->region ? x_strdup(o->region) : aws_default_region(o->profile);
	c->is_stopped = o->is_stopped;
	c->stop_ctx = o->stop_ctx;
	digest_random(&c->rng.state, sizeof(c->rng.state));
	if (!c->region) {
		aws_client_free(c);
		return aws_error_set(err, AWS_BAD_REQUEST,
				     "no region known for account %s; set region: of the account, "
				     "or AWS_REGION",
				     account);
	}
	rc = limiter_open(o->limiter_dir, account, per_s, &c->limiter);
	if (rc) {
		aws_client_free(c);
		return aws_error_set(
			err, AWS_OTHER,
			"cannot open the limiter's file of account %s in %s: %s; check "
			"the folder",
			account, o->limiter_dir, strerror(-rc));
	}
	for (size_t i = 0; i < AWS_SERVICE_COUNT; i++)
		c->endpoints[i] =
			aws_endpoint((enum aws_service)i, o->endpoint, o->profile, c->region);
	open_http(c, o);
	open_chain(c, o);
	*out = c;
	return 0;
}

void aws_client_free(struct aws_client *c)
{
	if (!c)
		return;
	aws_chain_free(c->chain);
	http_free(c->http);
	limiter_close(c->limiter);
	for (size_t i = 0; i < AWS_SERVICE_COUNT; i++)
		free(c->endpoints[i]);
	free(c->account);
	free(c->region);
	free(c);
}

const char *aws_client_region(const struct aws_client *c)
{
	return c->region;
}

int aws_client_creds(struct aws_client *c, const struct aws_creds **out, struct aws_error *err)
{
	return aws_chain_get(c->chain, out, err);
}

static bool is_stopped(const struct aws_client *c)
{
	return c->is_stopped && c->is_stopped(c->stop_ctx);
}

static void nap(const struct aws_client *c, int64_t for_ms)
{
	struct mono until = mono_add_ns(mono_now(), for_ms * NS_PER_MS);
	int64_t left_ns;

	while ((left_ns = mono_diff_ns(until, mono_now())) > 0 && !is_stopped(c)) {
		struct timespec ts = {.tv_nsec = (long)MIN_OF(left_ns, NAP_NS)};

		(void)nanosleep(&ts, NULL);
	}
}

static int send_once(struct aws_client *c, const struct aws_request *req,
		     const struct answer_context *ctx, struct http_response *out,
		     struct aws_error *err)
{
	struct answer_context told = *ctx;
	struct http_header headers[2];
	const struct aws_creds *creds;
	struct signed_request s = {.endpoint = c->endpoints[req->service],
				   .method = req->method,
				   .path = req->path,
				   .query = req->query,
				   .headers = headers,
				   .body = req->body,
				   .body_bytes = req->body_bytes,
				   .region = c->region,
				   .service = signing_names[req->service]};
	int rc = aws_chain_get(c->chain, &creds, err);

	if (rc)
		return rc;
	if (req->target)
		headers[s.header_count++] = (struct http_header){"X-Amz-Target", req->target};
	if (req->content_type)
		headers[s.header_count++] = (struct http_header){"Content-Type", req->content_type};
	s.creds = aws_creds_view(creds);
	told.origin = creds->origin;
	if (limiter_wait(c->limiter, c->is_stopped, c->stop_ctx) != 0)
		return aws_error_set(err, AWS_STOPPED, "cannot %s: stopped", ctx->what);
	rc = signed_do(c->http, &s, out);
	if (rc)
		return answer_failed(rc, out, &told, err);
	return out->status >= 200 && out->status < 300 ? 0 : answer_refused(out, &told, err);
}

/* Exponential, the upper half of it drawn at random, and never sooner than the service says. */
static int64_t backoff_ms(struct aws_client *c, unsigned repeat, const struct aws_error *err)
{
	int64_t most = MIN_OF(BACKOFF_MAX_MS, BACKOFF_FIRST_MS << MIN_OF(repeat, 10u));
	int64_t ms = most / 2 + (int64_t)rng_below(&c->rng, (uint64_t)(most / 2) + 1);

	return MAX_OF(ms, err->retry_after_ms);
}

static bool may_repeat(const struct aws_request *req, const struct aws_error *err, unsigned repeat)
{
	bool is_unclear = err->fault == AWS_NETWORK || err->fault == AWS_SERVER;

	return repeat < repeats_of[err->fault] && !(req->is_once && is_unclear);
}

int aws_call(struct aws_client *c, const struct aws_request *req, struct http_response *out,
	     struct aws_error *err)
{
	struct mono until = mono_add_ns(mono_now(), BUDGET_NS);
	char *what = x_asprintf("%s (account %s)", req->what, c->account);
	struct answer_context ctx = {
		.what = what, .permission = req->permission, .host = c->endpoints[req->service]};
	struct aws_error local = {0};
	int rc;

	err = err ? err : &local;
	for (unsigned repeat = 0;; repeat++) {
		int64_t wait_ms;

		rc = send_once(c, req, &ctx, out, err);
		if (rc == 0 || !may_repeat(req, err, repeat))
			break;
		if (err->fault == AWS_EXPIRED) {
			aws_chain_expire(c->chain);
			continue;
		}
		wait_ms = backoff_ms(c, repeat, err);
		if (mono_is_before(until, mono_add_ns(mono_now(), wait_ms * NS_PER_MS)))
			break;
		if (err->fault == AWS_THROTTLED)
			limiter_penalise(c->limiter, wait_ms);
		log_debug("%s; again in %lld ms", err->text, (long long)wait_ms);
		nap(c, wait_ms);
	}
	free(what);
	return rc;
}
