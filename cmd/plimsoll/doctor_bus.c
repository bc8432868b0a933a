/* doctor_bus.c - keys, the list of loaders, and whether somebody listens where work is handed out.
 */
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd/plimsoll/doctor.h"
#include "common/bus/allow.h"

/* ---- keys ---- */

/* The public key of a secret one in a file; false after telling. */
static bool public_of(struct doctor *d, const char *name, char out[BUS_KEY_SIZE])
{
	char *secret = doctor_secret(d, name);
	int rc;

	if (!secret)
		return false; /* told by the check of the secrets */
	rc = bus_key_public(secret, out);
	explicit_bzero(secret, strlen(secret));
	free(secret);
	if (rc)
		doctor_say(d, DOCTOR_WRONG, "plimsoll admin key new",
			   "%s/%s is no CURVE key (40 characters of Z85)", d->secrets, name);
	return rc == 0;
}

static void check_server_key(struct doctor *d)
{
	const char *told = d->config->bus.server_key;
	char is[BUS_KEY_SIZE];

	if (!public_of(d, "curve", is))
		return;
	if (!told)
		doctor_say(
			d, DOCTOR_WARNING,
			"bus.server_key: the line that plimsoll admin key new --server says; the "
			"loaders of this host need it",
			"the settings have no server_key");
	else if (strcmp(told, is) != 0)
		doctor_say(
			d, DOCTOR_WRONG,
			"bus.server_key must be the public half of secrets/curve, here and on the "
			"loaders' hosts",
			"server_key is not the key of planner and collector: no loader that has it "
			"gets through");
	else
		doctor_say(d, DOCTOR_OK, NULL, "server_key is that of planner and collector");
}

/* Calls see for each secret of a loader of this host. */
static void each_loader(struct doctor *d,
			void (*see)(struct doctor *d, const char *name, const char *key, void *ctx),
			void *ctx)
{
	DIR *dir = opendir(d->secrets);
	char key[BUS_KEY_SIZE];

	for (struct dirent *e; dir && (e = readdir(dir));)
		if (strncmp(e->d_name, "loader-", 7) == 0 && public_of(d, e->d_name, key))
			see(d, e->d_name + 7, key, ctx);
	if (dir)
		closedir(dir);
}

static void tell_key(struct doctor *d, const char *name, const char *key, void *ctx)
{
	(void)ctx;
	doctor_say(d, DOCTOR_OK, NULL, "loader %s is %s", name, key);
}

void doctor_keys(struct doctor *d)
{
	if (!d->config)
		return;
	if (!d->is_loader) {
		check_server_key(d);
		return;
	}
	if (!d->config->bus.server_key)
		doctor_say(d, DOCTOR_WRONG,
			   "bus.server_key: what plimsoll admin key new --server said on the "
			   "monitoring host",
			   "the settings have no server_key: a loader cannot know its planner");
	each_loader(d, tell_key, NULL);
}

/* ---- who may connect ---- */

static void check_listed(struct doctor *d, const char *name, const char *key, void *ctx)
{
	const struct bus_list *list = ctx;
	const char *listed = strmap_get(&list->names, name);
	char *todo = x_asprintf("plimsoll admin key new %s --public %s", name, key);

	if (!listed)
		doctor_say(d, DOCTOR_WRONG, todo, "loader %s of this host is not in the list",
			   name);
	else if (strcmp(listed, key) != 0)
		doctor_say(d, DOCTOR_WRONG, "revoke the name, then enter the key again",
			   "the list has another key for loader %s than this host", name);
	free(todo);
}

static void check_list_mode(struct doctor *d, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & 022) != 0)
		doctor_say(d, DOCTOR_WRONG, "chmod go-w on it",
			   "others may write %s, and let themselves in", path);
	else if (stat(path, &st) == 0 && (st.st_mode & 004) == 0)
		doctor_say(d, DOCTOR_WARNING, "chmod 644 on it: public keys are no secret",
			   "%s may be unreadable for the planner and the collector", path);
}

void doctor_loaders(struct doctor *d)
{
	const char *path = d->config ? d->config->bus.loaders : NULL;
	struct bus_list list = {0};
	char why[200] = "";

	if (!d->config)
		return;
	if (!path) {
		doctor_say(d, DOCTOR_WRONG, "bus.loaders: /etc/plimsoll/loaders",
			   "the settings name no list of loaders: nobody is let in");
		return;
	}
	if (bus_list_read(path, &list, why)) {
		doctor_say(d, DOCTOR_WRONG, "plimsoll admin key new NAME writes it", "%s", why);
		return;
	}
	check_list_mode(d, path);
	doctor_say(d, list.names.count ? DOCTOR_OK : DOCTOR_WARNING,
		   list.names.count ? NULL : "plimsoll admin key new NAME", "%zu loaders in %s",
		   list.names.count, path);
	each_loader(d, check_listed, &list);
	bus_list_release(&list);
}

/* ---- endpoints ---- */

static int wait_connected(int fd, int64_t wait_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int error = 0;
	socklen_t len = sizeof(error);

	if (poll(&p, 1, (int)wait_ms) != 1)
		return ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) ? errno : error;
}

/* 0 or an errno. */
static int dial(const struct sockaddr *at, socklen_t at_bytes, int64_t wait_ms)
{
	int fd = socket(at->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;

	if (fd < 0)
		return errno;
	if (connect(fd, at, at_bytes) != 0)
		error = errno == EINPROGRESS ? wait_connected(fd, wait_ms) : errno;
	close(fd);
	return error;
}

static int dial_unix(const char *path, int64_t wait_ms)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(at.sun_path))
		return ENAMETOOLONG;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	return dial((const struct sockaddr *)&at, sizeof(at), wait_ms);
}

/* host:port; what is bound to all addresses is asked on loopback. */
static int dial_tcp(const char *where, int64_t wait_ms)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	const char *colon = strrchr(where, ':');
	struct addrinfo *found = NULL;
	char *host;
	int error;

	if (!colon)
		return EINVAL;
	host = x_strndup(where, (size_t)(colon - where));
	if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "*") == 0 || strcmp(host, "[::]") == 0)
		snprintf(host, strlen(host) + 1, "%s", "");
	error = getaddrinfo(*host ? host : NULL, colon + 1, &hints, &found) ? EHOSTUNREACH : 0;
	if (!error)
		error = dial(found->ai_addr, found->ai_addrlen, wait_ms);
	if (found)
		freeaddrinfo(found);
	free(host);
	return error;
}

static void check_endpoint(struct doctor *d, const char *endpoint, const char *stage)
{
	char *todo = x_asprintf("systemctl status plimsoll-%s on its host; firewall", stage);
	int error = strncmp(endpoint, "ipc://", 6) == 0
			    ? dial_unix(endpoint + 6, d->wait_ms)
			    : dial_tcp(endpoint + strlen("tcp://"), d->wait_ms);

	if (error)
		doctor_say(d, DOCTOR_AWAY, todo, "%s of the %s: %s", endpoint, stage,
			   strerror(error));
	else
		doctor_say(d, DOCTOR_OK, NULL, "the %s listens on %s", stage, endpoint);
	free(todo);
}

void doctor_endpoints(struct doctor *d)
{
	const struct config_bus *b = d->config ? &d->config->bus : NULL;
	size_t most = d->is_loader ? 1 : SIZE_MAX; /* a loader uses the first */

	for (size_t i = 0; b && i < MIN_OF(b->work_count, most); i++)
		check_endpoint(d, b->work[i], "planner");
	for (size_t i = 0; b && i < MIN_OF(b->result_count, most); i++)
		check_endpoint(d, b->results[i], "collector");
}
