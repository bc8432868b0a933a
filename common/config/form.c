/* form.c - what names, addresses and references look like. */
#include "common/config/form.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "common/base/unit.h"

#define LETTERS_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

bool form_is_name(const char *s)
{
	size_t len = strspn(s, LETTERS_DIGITS "._-");

	return len >= 1 && len <= 64 && !s[len] && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

bool form_is_qualifier(const char *s)
{
	return form_is_name(s) || strcmp(s, "$LATEST") == 0;
}

bool form_is_region(const char *s)
{
	return islower((unsigned char)*s) && strchr(s, '-') &&
	       isdigit((unsigned char)s[strlen(s) - 1]) &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0' && strlen(s) <= 32;
}

bool form_is_role(const char *s)
{
	const char *account;

	if (strncmp(s, "arn:aws", 7) != 0)
		return false;
	account = strstr(s, ":iam::");
	if (!account)
		return false;
	account += 6;
	return strspn(account, "0123456789") == 12 && strncmp(account + 12, ":role/", 6) == 0 &&
	       account[18] != '\0' && !strpbrk(s, " \t");
}

bool form_is_repo(const char *s)
{
	const char *slash = strchr(s, '/');

	return slash && slash > s && slash[1] && s[strspn(s, LETTERS_DIGITS "._-/")] == '\0';
}

bool form_is_pointer(const char *s)
{
	if (strncmp(s, "header:", 7) == 0)
		return s[7] && !strpbrk(s + 7, " :");
	if (*s != '/')
		return false;
	for (; *s; s++) {
		if (*s == '~' && s[1] != '0' && s[1] != '1')
			return false;
	}
	return true;
}

bool form_is_host(const char *host)
{
	size_t len = *host == '[' ? strcspn(host, "]") + 1 : strspn(host, LETTERS_DIGITS ".-");
	uint64_t port;

	if (len == 0 || len > 255 || *host == '.' || *host == '-' || len > strlen(host))
		return false;
	if (host[len] == '\0')
		return true;
	return host[len] == ':' && unit_parse_u64(host + len + 1, &port) == 0 && port >= 1 &&
	       port <= 65535;
}

#define SOCKET_PATH_MAX_BYTES 107 /* of struct sockaddr_un */

bool form_is_target(const char *s)
{
	if (strncmp(s, "unix:", 5) == 0)
		return s[5] == '/' && strlen(s + 5) <= SOCKET_PATH_MAX_BYTES;
	return form_is_host(s);
}

bool form_is_url(const char *s)
{
	const char *host;
	char *copy;
	bool ok;

	if (strncmp(s, "http://", 7) == 0)
		host = s + 7;
	else if (strncmp(s, "https://", 8) == 0)
		host = s + 8;
	else
		return false;
	copy = x_strndup(host, strcspn(host, "/?"));
	ok = form_is_host(copy) && !strpbrk(s, " \t\"<>#");
	free(copy);
	return ok;
}

static bool is_variable(const char *s, size_t len)
{
	if (len == 0 || isdigit((unsigned char)*s))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)s[i]) && s[i] != '_')
			return false;
	}
	return true;
}

bool form_is_secret(const char *s)
{
	size_t word = strspn(s, "abcdefghijklmnopqrstuvwxyz_-");

	if (strncmp(s, "file:", 5) == 0)
		return s[5] == '/';
	if (strncmp(s, "credential:", 11) == 0)
		return form_is_name(s + 11);
	if (*s == '$')
		return s[1] == '{' && strlen(s) > 3 && s[strlen(s) - 1] == '}' &&
		       is_variable(s + 2, strlen(s) - 3);
	return word == 0 || s[word] != ':';
}

bool form_is_socket(const char *s)
{
	return *s && strlen(s) < sizeof(((struct sockaddr_un *)0)->sun_path);
}

static bool has_port(const char *host)
{
	const char *end = strrchr(host, ']');

	return strchr(end ? end : host, ':') != NULL;
}

bool form_is_endpoint(const char *s)
{
	const char *rest = s + 6;
	char *host;
	bool ok;

	if (strncmp(s, "ipc://", 6) == 0)
		return *rest == '/' && rest[1] && form_is_socket(rest) && !strpbrk(s, " \t\n");
	if (strncmp(s, "tcp://", 6) != 0)
		return false;
	/* The star stands for a host, as ZeroMQ has it. */
	host = strncmp(rest, "*:", 2) == 0 ? x_asprintf("any%s", rest + 1) : x_strdup(rest);
	ok = form_is_host(host) && has_port(host);
	free(host);
	return ok;
}

bool form_is_key(const char *s)
{
	return strlen(s) == 40 && strspn(s, LETTERS_DIGITS ".-:+=^!/*?&<>()[]{}@%$#") == 40;
}

bool form_is_secret_key(const char *s)
{
	static const char *const references[] = {"file:", "credential:", "${"};

	for (size_t i = 0; i < ARRAY_LEN(references); i++) {
		if (strncmp(s, references[i], strlen(references[i])) == 0)
			return form_is_secret(s);
	}
	return form_is_key(s);
}
