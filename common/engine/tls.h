/*
 * tls.h - TLS 1.2 and 1.3 over a non-blocking socket, verified, resumed within a pool (rank 3).
 *
 * Verification is always on: the chain against the system's or one CA file, the name or address
 * against the certificate. With read_ahead one recv(2) takes all that has arrived.
 *
 *	struct tls_peer peer;
 *	struct tls_settings how = {.name = "api.example.com", .alpn = TLS_ALPN_HTTP1};
 *	rc = tls_peer_init(&peer, &contexts, &how, why);
 *	struct tls *t = tls_open(&peer, fd, NULL);
 *	while ((rc = tls_handshake(t)) == -EAGAIN) wait for tls_wants_write(t) ? write : read;
 *
 * DIAGNOSTICS
 *	-EAGAIN: wait. -EPROTO: TLS itself failed; -EPIPE: the connection ended without a
 *	close_notify; other -errno: of the socket. tls_why() says it in static text. After any of
 *	them but -EAGAIN only tls_close may follow.
 */
#ifndef PLIMSOLL_ENGINE_TLS_H
#define PLIMSOLL_ENGINE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/base/bug.h"
#include "common/base/clock.h"

#define TLS_WHY_SIZE 200

struct tls;
struct tls_context; /* loaded files, shared by all peers that name the same ones */

enum tls_alpn {
	TLS_ALPN_HTTP1,
	TLS_ALPN_HTTP2,
	TLS_ALPN_ANY, /* h2 is preferred */
	TLS_ALPN_COUNT
};

struct tls_settings {
	const char *name;    /* what the certificate must carry; SNI unless an address */
	const char *ca_file; /* PEM; NULL = the system's */
	const char *cert_file, *key_file; /* ours, PEM; NULL = none. key_file NULL = in cert_file */
	enum tls_alpn alpn;
	bool is_lean; /* many connections: buffers only while bytes are in them, for some CPU */
};

struct tls_peer {
	struct tls_context **all;
	struct tls_context *context;
	char *name;
	enum tls_alpn alpn;
	bool is_literal, is_lean;
	void *session; /* the newest ticket, for the next connection; SSL_SESSION */
};

/*
 * *all heads the list of contexts in use (NULL at first); it must outlive the peer. The settings
 * are copied. -EINVAL: a file cannot be used (a key with a passphrase among them).
 */
MUST_CHECK int tls_peer_init(struct tls_peer *p, struct tls_context **all,
			     const struct tls_settings *how, char why[TLS_WHY_SIZE]);
void tls_peer_release(struct tls_peer *p); /* after all its connections */

/* The descriptor stays the caller's. heard: as stamp_recv() sets it, or NULL. NULL when OpenSSL has
 * no memory. */
struct tls *tls_open(struct tls_peer *p, int fd, struct mono *heard);
/* With a close_notify when the connection is still whole; then frees. NULL is fine. */
void tls_close(struct tls *t);

MUST_CHECK int tls_handshake(struct tls *t); /* 0 done */
/* After the handshake: did the peer choose HTTP/2. */
bool tls_is_http2(const struct tls *t);
/* Bytes; 0 = the peer said close_notify. */
MUST_CHECK ssize_t tls_read(struct tls *t, void *out, size_t size_bytes);
MUST_CHECK ssize_t tls_write(struct tls *t, const void *data, size_t len_bytes);
/* After tls_read: OpenSSL holds bytes, or the last recv(2) did not take all there was. */
bool tls_may_have_more(const struct tls *t);
/* After -EAGAIN: is it the socket's write side that must become ready. */
bool tls_wants_write(const struct tls *t);
const char *tls_why(const struct tls *t);

#endif
