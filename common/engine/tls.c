#include "common/engine/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include "common/engine/address.h"
#include "common/engine/stamp.h"

enum context_file { FILE_CA, FILE_CERT, FILE_KEY, FILE_COUNT };

struct tls_context {
	SSL_CTX *ctx;
	char *files[FILE_COUNT]; /* NULL = not given */
	unsigned users;
	struct tls_context *next;
};

struct tls {
	SSL *ssl;
	struct tls_peer *peer;
	bool is_broken; /* no close_notify may be sent */
	bool wants_write;
	bool is_drained; /* the last recv(2) took all there was */
	bool has_ended;	 /* end is to be told behind the bytes that came with it */
	int end;
	int fd;
	struct mono *heard; /* NULL = nobody asks */
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

/* OpenSSL would ask at the terminal. */
static int no_passphrase(char *out, int size_bytes, int is_for_writing, void *ctx)
{
	(void)out;
	(void)size_bytes;
	(void)is_for_writing;
	(void)ctx;
	return 0;
}

static void set_up(SSL_CTX *ctx)
{
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(ctx,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(ctx, keep_session);
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
}

static bool load_ca(SSL_CTX *ctx, char *const files[FILE_COUNT])
{
	if (files[FILE_CA])
		return SSL_CTX_load_verify_file(ctx, files[FILE_CA]) == 1;
	return SSL_CTX_set_default_verify_paths(ctx) == 1;
}

static bool load_cert(SSL_CTX *ctx, char *const files[FILE_COUNT])
{
	return !files[FILE_CERT] || SSL_CTX_use_certificate_chain_file(ctx, files[FILE_CERT]) == 1;
}

static bool load_key(SSL_CTX *ctx, char *const files[FILE_COUNT])
{
	return !files[FILE_KEY] ||
	       (SSL_CTX_use_PrivateKey_file(ctx, files[FILE_KEY], SSL_FILETYPE_PEM) == 1 &&
		SSL_CTX_check_private_key(ctx) == 1);
}

static int load_context(char *const files[FILE_COUNT], SSL_CTX **out, char why[TLS_WHY_SIZE])
{
	static const struct {
		const char *what;
		bool (*load)(SSL_CTX *ctx, char *const files[FILE_COUNT]);
	} loads[FILE_COUNT] = {
		[FILE_CA] = {"certificates", load_ca},
		[FILE_CERT] = {"our certificate", load_cert},
		[FILE_KEY] = {"our key", load_key},
	};
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	BUG_ON(!ctx);
	set_up(ctx);
	for (size_t i = 0; i < FILE_COUNT; i++) {
		ERR_clear_error();
		if (loads[i].load(ctx, files))
			continue;
		snprintf(why, TLS_WHY_SIZE, "cannot load %s from %.100s: %.60s", loads[i].what,
			 files[i] ? files[i] : "the system's store", first_reason());
		SSL_CTX_free(ctx);
		return -EINVAL;
	}
	*out = ctx;
	return 0;
}

static bool is_same_file(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same_files(char *const a[FILE_COUNT], char *const b[FILE_COUNT])
{
	for (size_t i = 0; i < FILE_COUNT; i++)
		if (!is_same_file(a[i], b[i]))
			return false;
	return true;
}

static int get_context(struct tls_context **all, char *const files[FILE_COUNT],
		       struct tls_context **out, char why[TLS_WHY_SIZE])
{
	struct tls_context *c;
	SSL_CTX *ctx;
	int rc;

	for (c = *all; c; c = c->next)
		if (is_same_files(c->files, files))
			break;
	if (!c) {
		rc = load_context(files, &ctx, why);
		if (rc)
			return rc;
		c = x_calloc(1, sizeof(*c));
		c->ctx = ctx;
		for (size_t i = 0; i < FILE_COUNT; i++)
			c->files[i] = files[i] ? x_strdup(files[i]) : NULL;
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
	for (size_t i = 0; i < FILE_COUNT; i++)
		free(c->files[i]);
	free(c);
}

int tls_peer_init(struct tls_peer *p, struct tls_context **all, const struct tls_settings *how,
		  char why[TLS_WHY_SIZE])
{
	const char *key_file = how->key_file ? how->key_file : how->cert_file;
	char *files[FILE_COUNT] = {
		[FILE_CA] = (char *)(uintptr_t)how->ca_file,
		[FILE_CERT] = (char *)(uintptr_t)how->cert_file,
		[FILE_KEY] = (char *)(uintptr_t)key_file,
	};
	struct tls_context *context;
	int rc = get_context(all, files, &context, why);

	ERR_clear_error();
	if (rc)
		return rc;
	*p = (struct tls_peer){
		.all = all,
		.context = context,
		.name = x_strdup(how->name),
		.alpn = how->alpn,
		.is_literal = address_is_literal(how->name),
		.is_lean = how->is_lean,
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

/* ---- the socket under OpenSSL: it must know whether a read left something behind ---- */

static int socket_write(BIO *b, const char *data, size_t len_bytes, size_t *put)
{
	struct tls *t = BIO_get_data(b);
	ssize_t n = send(t->fd, data, len_bytes, MSG_NOSIGNAL);

	BIO_clear_retry_flags(b);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(b);
	*put = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static int socket_read(BIO *b, char *out, size_t size_bytes, size_t *got)
{
	struct tls *t = BIO_get_data(b);
	ssize_t n = stamp_recv(t->fd, out, size_bytes, t->heard);

	t->is_drained = n < (ssize_t)size_bytes;
	BIO_clear_retry_flags(b);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(b);
	*got = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static long socket_control(BIO *b, int what, long number, void *data)
{
	(void)b;
	(void)number;
	(void)data;
	return what == BIO_CTRL_FLUSH;
}

static bool attach(struct tls *t)
{
	static BIO_METHOD *method;
	BIO *b;

	if (!method) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
		BUG_ON(!method);
		BIO_meth_set_write_ex(method, socket_write);
		BIO_meth_set_read_ex(method, socket_read);
		BIO_meth_set_ctrl(method, socket_control);
	}
	b = BIO_new(method);
	if (!b)
		return false;
	BIO_set_data(b, t);
	BIO_set_init(b, 1);
	SSL_set_bio(t->ssl, b, b);
	return true;
}

static bool expect_name(SSL *ssl, const struct tls_peer *p)
{
	if (p->is_literal)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), p->name) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, p->name) == 1 && SSL_set_tlsext_host_name(ssl, p->name) == 1;
}

static bool offer_protocols(SSL *ssl, enum tls_alpn alpn)
{
	static const char *const offers[TLS_ALPN_COUNT] = {
		[TLS_ALPN_HTTP1] = "\x08http/1.1",
		[TLS_ALPN_HTTP2] = "\x02h2",
		[TLS_ALPN_ANY] = "\x02h2\x08http/1.1",
	};

	return SSL_set_alpn_protos(ssl, (const unsigned char *)offers[alpn],
				   (unsigned)strlen(offers[alpn])) == 0;
}

struct tls *tls_open(struct tls_peer *p, int fd, struct mono *heard)
{
	SSL *ssl = SSL_new(p->context->ctx);
	struct tls *t = x_calloc(1, sizeof(*t));

	t->ssl = ssl;
	t->peer = p;
	t->fd = fd;
	t->heard = heard;
	if (!ssl || !expect_name(ssl, p) || !offer_protocols(ssl, p->alpn) || !attach(t)) {
		SSL_free(ssl);
		free(t);
		return NULL;
	}
	t->is_broken = true; /* until the handshake is done */
	SSL_set_app_data(ssl, t);
	SSL_set_connect_state(ssl);
	if (p->is_lean)
		SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	if (p->session)
		SSL_set_session(ssl, p->session);
	return t;
}

void tls_close(struct tls *t)
{
	if (!t)
		return;
	if (!t->is_broken)
		SSL_shutdown(t->ssl);
	/* Without this OpenSSL would hold the session of a dropped connection for unusable. */
	SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	free(t);
	ERR_clear_error();
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

static int explain_result(struct tls *t, int result, int error_number)
{
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

/*
 * What a call of OpenSSL that did not succeed means; 0 for a close_notify. It is read out of
 * OpenSSL's queue of errors, which therefore must be empty before each call. Emptying it costs as
 * much as a tenth of a read, so it is done behind whatever may have left something there.
 */
static int explain(struct tls *t, int result)
{
	int rc = explain_result(t, result, errno);

	ERR_clear_error();
	return rc;
}

int tls_handshake(struct tls *t)
{
	int n, rc;

	ERR_clear_error();
	n = SSL_do_handshake(t->ssl);
	if (n == 1) {
		ERR_clear_error();
		t->is_broken = false;
		return 0;
	}
	rc = explain(t, n);
	return rc ? rc : broken(t, -EPIPE, "closed within the handshake");
}

bool tls_is_http2(const struct tls *t)
{
	const unsigned char *chosen;
	unsigned len_bytes;

	SSL_get0_alpn_selected(t->ssl, &chosen, &len_bytes);
	return len_bytes == 2 && memcmp(chosen, "h2", 2) == 0;
}

ssize_t tls_read(struct tls *t, void *out, size_t size_bytes)
{
	size_t at = 0, got;
	int n, rc;

	if (t->has_ended) {
		t->has_ended = false;
		return t->end;
	}
	do {
		n = SSL_read_ex(t->ssl, (char *)out + at, size_bytes - at, &got);
		at += n == 1 ? got : 0;
	} while (n == 1 && at < size_bytes && SSL_has_pending(t->ssl));
	if (n == 1)
		return (ssize_t)at;
	rc = explain(t, n);
	if (!at)
		return rc;
	t->has_ended = rc != -EAGAIN;
	t->end = rc;
	return (ssize_t)at;
}

ssize_t tls_write(struct tls *t, const void *data, size_t len_bytes)
{
	size_t put;
	int n, rc;

	n = SSL_write_ex(t->ssl, data, len_bytes, &put);
	if (n == 1)
		return (ssize_t)put;
	rc = explain(t, n);
	return rc ? rc : broken(t, -EPIPE, "the peer has closed");
}

bool tls_may_have_more(const struct tls *t)
{
	return t->has_ended || !t->is_drained || SSL_has_pending(t->ssl) == 1;
}

bool tls_wants_write(const struct tls *t)
{
	return t->wants_write;
}

const char *tls_why(const struct tls *t)
{
	return t->why ? t->why : "no reason given";
}
