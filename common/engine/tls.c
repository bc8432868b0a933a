#include "common/engine/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/engine/address.h"

struct tls_context {
	SSL_CTX *ctx;
	char *ca_file; /* NULL = the system's */
	unsigned users;
	struct tls_context *next;
};

struct tls {
	SSL *ssl;
	struct tls_peer *peer;
	bool is_broken; /* no close_notify may be sent */
	bool wants_write;
	const char *why;
};

static const char *first_reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_error());

	return text ? text : "no reason given";
}

/* OpenSSL offers each ticket that arrives; returning 1 keeps our reference to it. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls *t = SSL_get_app_data(ssl);

	SSL_SESSION_free(t->peer->session);
	t->peer->session = session;
	return 1;
}

static void set_up(SSL_CTX *ctx)
{
	static const unsigned char alpn[] = "\x08http/1.1";

	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(ctx,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(ctx, keep_session);
	BUG_ON(SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) != 0);
}

static int load_context(const char *ca_file, SSL_CTX **out, char why[TLS_WHY_SIZE])
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int ok;

	BUG_ON(!ctx);
	ERR_clear_error();
	ok = ca_file ? SSL_CTX_load_verify_file(ctx, ca_file)
		     : SSL_CTX_set_default_verify_paths(ctx);
	if (ok != 1) {
		snprintf(why, TLS_WHY_SIZE, "cannot load certificates from %.100s: %.60s",
			 ca_file ? ca_file : "the system's store", first_reason());
		SSL_CTX_free(ctx);
		return -EINVAL;
	}
	set_up(ctx);
	*out = ctx;
	return 0;
}

static bool is_same_file(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static int get_context(struct tls_context **all, const char *ca_file, struct tls_context **out,
		       char why[TLS_WHY_SIZE])
{
	struct tls_context *c;
	SSL_CTX *ctx;
	int rc;

	for (c = *all; c; c = c->next)
		if (is_same_file(c->ca_file, ca_file))
			break;
	if (!c) {
		rc = load_context(ca_file, &ctx, why);
		if (rc)
			return rc;
		c = x_calloc(1, sizeof(*c));
		c->ctx = ctx;
		c->ca_file = ca_file ? x_strdup(ca_file) : NULL;
		c->next = *all;
		*all = c;
	}
	c->users++;
	*out = c;
	return 0;
}

static void put_context(struct tls_context **all, struct tls_context *c)
{
	if (--c->users)
		return;
	while (*all != c)
		all = &(*all)->next;
	*all = c->next;
	SSL_CTX_free(c->ctx);
	free(c->ca_file);
	free(c);
}

int tls_peer_init(struct tls_peer *p, struct tls_context **all, const char *name,
		  const char *ca_file, char why[TLS_WHY_SIZE])
{
	struct tls_context *context;
	int rc = get_context(all, ca_file, &context, why);

	if (rc)
		return rc;
	*p = (struct tls_peer){
		.all = all,
		.context = context,
		.name = x_strdup(name),
		.is_literal = address_is_literal(name),
	};
	return 0;
}

void tls_peer_release(struct tls_peer *p)
{
	if (!p->context)
		return;
	SSL_SESSION_free(p->session);
	put_context(p->all, p->context);
	free(p->name);
	*p = (struct tls_peer){0};
}

static bool expect_name(SSL *ssl, const struct tls_peer *p)
{
	if (p->is_literal)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), p->name) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, p->name) == 1 && SSL_set_tlsext_host_name(ssl, p->name) == 1;
}

struct tls *tls_open(struct tls_peer *p, int fd)
{
	SSL *ssl = SSL_new(p->context->ctx);
	struct tls *t;

	if (!ssl || !expect_name(ssl, p) || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	t = x_calloc(1, sizeof(*t));
	t->ssl = ssl;
	t->peer = p;
	t->is_broken = true; /* until the handshake is done */
	SSL_set_app_data(ssl, t);
	SSL_set_connect_state(ssl);
	if (p->session)
		SSL_set_session(ssl, p->session);
	return t;
}

void tls_close(struct tls *t)
{
	if (!t)
		return;
	ERR_clear_error();
	if (!t->is_broken)
		SSL_shutdown(t->ssl);
	/* Without this OpenSSL would hold the session of a dropped connection for unusable. */
	SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	free(t);
}

static int broken(struct tls *t, int rc, const char *why)
{
	t->is_broken = true;
	t->why = why;
	return rc;
}

static int explain_protocol(struct tls *t)
{
	const long verify = SSL_get_verify_result(t->ssl);

	if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return broken(t, -EPIPE, "closed without a close_notify");
	if (verify != X509_V_OK)
		return broken(t, -EPROTO, X509_verify_cert_error_string(verify));
	return broken(t, -EPROTO, first_reason());
}

/* What a call of OpenSSL that did not succeed means; 0 for a close_notify. */
static int explain(struct tls *t, int result)
{
	const int error_number = errno;

	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		t->wants_write = false;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		t->wants_write = true;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		if (error_number)
			return broken(t, -error_number, strerrordesc_np(error_number));
		return broken(t, -EPIPE, "closed without a close_notify");
	default:
		return explain_protocol(t);
	}
}

int tls_handshake(struct tls *t)
{
	int n, rc;

	ERR_clear_error();
	n = SSL_do_handshake(t->ssl);
	if (n == 1) {
		t->is_broken = false;
		return 0;
	}
	rc = explain(t, n);
	return rc ? rc : broken(t, -EPIPE, "closed within the handshake");
}

ssize_t tls_read(struct tls *t, void *out, size_t size_bytes)
{
	size_t got;
	int n;

	ERR_clear_error();
	n = SSL_read_ex(t->ssl, out, size_bytes, &got);
	return n == 1 ? (ssize_t)got : explain(t, n);
}

ssize_t tls_write(struct tls *t, const void *data, size_t len_bytes)
{
	size_t put;
	int n, rc;

	ERR_clear_error();
	n = SSL_write_ex(t->ssl, data, len_bytes, &put);
	if (n == 1)
		return (ssize_t)put;
	rc = explain(t, n);
	return rc ? rc : broken(t, -EPIPE, "the peer has closed");
}

bool tls_has_pending(const struct tls *t)
{
	return SSL_has_pending(t->ssl) == 1;
}

bool tls_wants_write(const struct tls *t)
{
	return t->wants_write;
}

const char *tls_why(const struct tls *t)
{
	return t->why ? t->why : "no reason given";
}
