/*
 * form.h - what names, addresses and references look like (rank 2). Pure questions about texts.
 */
#ifndef PLIMSOLL_CONFIG_FORM_H
#define PLIMSOLL_CONFIG_FORM_H

#include <stdbool.h>

/* [A-Za-z0-9._-]{1,64}, neither . nor .. */
bool form_is_name(const char *s);
/* A name, or $LATEST. */
bool form_is_qualifier(const char *s);
bool form_is_region(const char *s);
/* arn:PARTITION:iam::ACCOUNT:role/NAME */
bool form_is_role(const char *s);
/* owner/name */
bool form_is_repo(const char *s);
/* An RFC 6901 JSON pointer, or header:NAME. */
bool form_is_pointer(const char *s);
/* host or host:port, as in a URL's authority; [..] for an IPv6 address. */
bool form_is_host(const char *s);
/* The same, or unix:/path/of/a/socket. */
bool form_is_target(const char *s);
/* http or https, without user and fragment: a URL that can be logged and called. */
bool form_is_url(const char *s);
/* ipc:///absolute/path of a socket, or tcp://HOST:PORT; * is every address. */
bool form_is_endpoint(const char *s);
/* A path that a unix socket can have: at most 107 bytes. */
bool form_is_socket(const char *s);
/* A CURVE key: 40 characters of Z85 (ZeroMQ RFC 32). */
bool form_is_key(const char *s);
/* A key, or a reference as form_is_secret. */
bool form_is_secret_key(const char *s);
/*
 * file:/path, credential:NAME, ${NAME}, or the secret itself. What looks like a reference (word:)
 * must be one that is known.
 */
bool form_is_secret(const char *s);

#endif
