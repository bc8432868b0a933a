/*
 * guard.c - see guard.h.
 */
#include "cmd/loader/guard.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/aws/aws.h"
#include "common/http/http.h"

static const char *const public_hosts[] = {"lambda", "lambda-fips"};
static const char *const public_suffixes[] = {".amazonaws.com", ".amazonaws.com.cn", ".api.aws"};

PRINTF_LIKE(2, 3) static int refuse(char why[SHARD_WHY_SIZE], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, SHARD_WHY_SIZE, fmt, ap);
	va_end(ap);
	return -EACCES;
}

static bool is_address(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* Lambda's own host in the target's region: others of AWS are anybody's (API Gateway, S3). */
static bool is_public_lambda(const struct shard_target *t)
{
	char host[NI_MAXHOST];

	for (size_t i = 0; i < ARRAY_LEN(public_hosts); i++) {
		for (size_t k = 0; k < ARRAY_LEN(public_suffixes); k++) {
			snprintf(host, sizeof(host), "%s.%s%s", public_hosts[i], t->region,
				 public_suffixes[k]);
			if (t->is_tls && t->port == 443 && strcasecmp(t->host, host) == 0)
				return true;
		}
	}
	return false;
}

static bool is_same_decoded(const char *encoded, size_t len_bytes, const char *plain)
{
	for (size_t i = 0; i < len_bytes; plain++) {
		unsigned c = (unsigned char)encoded[i++];

		if (c == '%') {
			char hex[3] = "";

			if (len_bytes - i < 2 || !isxdigit((unsigned char)encoded[i]) ||
			    !isxdigit((unsigned char)encoded[i + 1]))
				return false;
			memcpy(hex, encoded + i, 2);
			c = (unsigned)strtoul(hex, NULL, 16);
			i += 2;
		}
		if (!*plain || (unsigned char)*plain != c)
			return false;
	}
	return !*plain;
}

/*
 * With the account's keys a path is a command: POST /2015-03-31/functions would make a function.
 * Only an invocation of the function that the session is for may be asked.
 */
static bool is_invocation(const struct shard_target *t, const char *base, size_t base_bytes)
{
	static const char before[] = "/2015-03-31/functions/", after[] = "/invocations";
	const char *at = t->path;
	size_t segment_bytes;

	while (base_bytes && base[base_bytes - 1] == '/')
		base_bytes--;
	if (strncmp(at, base, base_bytes) != 0)
		return false;
	at += base_bytes;
	if (!t->function || strncmp(at, before, sizeof(before) - 1) != 0)
		return false;
	at += sizeof(before) - 1;
	segment_bytes = strcspn(at, "/");
	return strcmp(at + segment_bytes, after) == 0 &&
	       is_same_decoded(at, segment_bytes, t->function);
}

static int refuse_path(const struct shard_target *t, char why[SHARD_WHY_SIZE])
{
	return refuse(why, "%s is not the invocation of function %s", t->path,
		      t->function ? t->function : "(none)");
}

static bool is_same_origin(const char *url, const struct shard_target *t, struct http_url *u)
{
	return http_url_split(url, u) == 0 && u->is_tls == t->is_tls && u->port == t->port &&
	       u->host_bytes == strlen(t->host) &&
	       strncasecmp(u->host, t->host, u->host_bytes) == 0;
}

static int guard_lambda(const struct config_account *account, const struct shard_target *t,
			bool *allow_private, char why[SHARD_WHY_SIZE])
{
	struct http_url at;
	char *endpoint;
	int rc;

	*allow_private = false;
	if (!t->region)
		return refuse(why, "a lambda-invoke target needs its region");
	if (is_public_lambda(t))
		return is_invocation(t, "", 0) ? 0 : refuse_path(t, why);
	endpoint = aws_endpoint(AWS_LAMBDA, account ? account->endpoint : NULL,
				account ? account->profile : NULL, t->region);
	if (!endpoint || !is_same_origin(endpoint, t, &at))
		rc = refuse(why,
			    "%s is neither Lambda's host in region %s nor the endpoint of the "
			    "account; set endpoint: in the configuration or AWS_ENDPOINT_URL",
			    t->authority, t->region);
	else
		rc = is_invocation(t, at.path, at.path_bytes) ? 0 : refuse_path(t, why);
	free(endpoint);
	*allow_private = rc == 0;
	return rc;
}

bool guard_is_listed(const char *entry, const struct shard_target *t)
{
	const char *colon = strrchr(entry, ':');
	bool has_port = colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1);
	size_t host_bytes = has_port ? (size_t)(colon - entry) : strlen(entry);

	if (is_address(entry)) { /* a bare IPv6 address is full of colons */
		has_port = false;
		host_bytes = strlen(entry);
	}
	if (host_bytes > 2 && entry[0] == '[' && entry[host_bytes - 1] == ']') {
		entry++;
		host_bytes -= 2;
	}
	if (has_port && strtoul(colon + 1, NULL, 10) != t->port)
		return false;
	return host_bytes == strlen(t->host) && strncasecmp(entry, t->host, host_bytes) == 0;
}

/* "unix:/run/app.sock": that socket, whatever the host is called. */
static bool is_socket(const char *entry, const char *path)
{
	return strncmp(entry, "unix:", 5) == 0 && strcmp(entry + 5, path) == 0;
}

static int guard_http(const struct guard *g, const struct config_account *account,
		      const struct shard_target *t, bool *allow_private, char why[SHARD_WHY_SIZE])
{
	*allow_private = false;
	if (!account)
		return refuse(why,
			      "http targets are called only when the account's allow list names "
			      "them; give --config with this account");
	for (size_t i = 0; i < account->allow_count; i++) {
		if (t->unix_socket ? is_socket(account->allow[i], t->unix_socket)
				   : guard_is_listed(account->allow[i], t)) {
			*allow_private = g->allow_private || is_address(t->host) ||
					 !strcasecmp(t->host, "localhost");
			return 0;
		}
	}
	return refuse(
		why, "%s%s is not on the allow list of account %s; add it to allow: if it is yours",
		t->unix_socket ? "unix:" : "", t->unix_socket ? t->unix_socket : t->authority,
		account->name);
}

int guard_target(const struct guard *g, const struct shard *sh, const struct shard_target *t,
		 bool *allow_private, char why[SHARD_WHY_SIZE])
{
	const struct config_account *account =
		g->config ? config_account(g->config, sh->account) : NULL;

	if (t->unix_socket && strcmp(t->method, "http") != 0)
		return refuse(why, "only targets of method http are reached by a unix socket");
	if (strcmp(t->method, "http") == 0)
		return guard_http(g, account, t, allow_private, why);
	return guard_lambda(account, t, allow_private, why);
}

int guard_size(const struct guard *g, const struct shard *sh, char why[SHARD_WHY_SIZE])
{
	double rate_max_per_s = g->rate_max_per_s;
	uint64_t in_flight_max = g->in_flight_max;
	double peak_per_s = workload_peak_per_s(&sh->workload);
	uint32_t users = workload_users(&sh->workload);

	if (g->config && g->config->limits.rate_per_s > 0)
		rate_max_per_s = MIN_OF(rate_max_per_s, g->config->limits.rate_per_s);
	if (rate_max_per_s > 0 && peak_per_s > rate_max_per_s)
		return refuse(why,
			      "a rate of %g/s is above the limit of %g/s (limits.rate, --max-rate)",
			      peak_per_s, rate_max_per_s);
	if (users > in_flight_max)
		return refuse(why, "%u vus are above the limit of %llu (--max-in-flight)", users,
			      (unsigned long long)in_flight_max);
	if (sh->in_flight > in_flight_max)
		return refuse(why,
			      "%u calls in flight are above the limit of %llu (--max-in-flight)",
			      sh->in_flight, (unsigned long long)in_flight_max);
	return 0;
}
