#include "common/engine/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <resolv.h>
#include <netinet/tcp.h>

#define DOWN_NS (5 * NS_PER_S)
/* Where resolv.conf and RES_OPTIONS ask for more patience: nobody wants to wait 5 s twice. */
#define RESOLVER_TIMEOUT_S 2
#define RESOLVER_TRIES 2

/* Blocks that a test may not call, most of IANA's special-purpose registries (RFC 6890). */
struct block {
	uint8_t bytes[16];
	uint8_t bits;
	bool is_never; /* not even where private addresses are allowed */
	const char *what;
};

static const struct block v4_blocks[] = {
	{{0}, 8, false, "an address of this host"},
	{{10}, 8, false, "a private address"},
	{{100, 64}, 10, false, "a carrier's shared address"},
	{{127}, 8, false, "a loopback address"},
	{{169, 254}, 16, false, "a link-local address"},
	{{172, 16}, 12, false, "a private address"},
	{{192, 0, 0}, 24, false, "an IETF protocol address"},
	{{192, 0, 2}, 24, false, "a documentation address"},
	{{192, 168}, 16, false, "a private address"},
	{{198, 18}, 15, false, "a benchmarking address"},
	{{198, 51, 100}, 24, false, "a documentation address"},
	{{203, 0, 113}, 24, false, "a documentation address"},
	{{224}, 4, true, "a multicast address"},
	{{240}, 4, true, "a reserved or broadcast address"},
};

static const struct block v6_blocks[] = {
	{{0}, 128, false, "an address of this host"},
	{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, false, "a loopback address"},
	{{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, false, "a local translation address"},
	{{0x01}, 64, false, "a discard-only address"},
	{{0x20, 0x01, 0x00, 0x00}, 32, false, "a Teredo address"},
	{{0x20, 0x01, 0x0d, 0xb8}, 32, false, "a documentation address"},
	{{0xfc}, 7, false, "a private address"},
	{{0xfe, 0x80}, 10, false, "a link-local address"},
	{{0xfe, 0xc0}, 10, false, "a site-local address"},
	{{0xff}, 8, true, "a multicast address"},
};

/* IPv6 blocks whose addresses mean an IPv4 address, which is checked instead. */
static const struct {
	uint8_t bytes[16];
	uint8_t bits, v4_at;
} v4_within_v6[] = {
	{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 12}, /* mapped */
	{{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 12},	      /* translated, RFC 2765 */
	{{0x00, 0x64, 0xff, 0x9b}, 96, 12},		      /* NAT64 */
	{{0x20, 0x02}, 16, 2},				      /* 6to4 */
	{{0}, 96, 12}, /* compatible; after :: and ::1 in v6_blocks */
};

static bool is_within(const uint8_t *address, const uint8_t *block, unsigned bits)
{
	const unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(address, block, whole) != 0)
		return false;
	return !rest || (address[whole] ^ block[whole]) >> (8 - rest) == 0;
}

static const char *objection(const struct block *blocks, size_t count, const uint8_t *address,
			     bool allow_private)
{
	for (size_t i = 0; i < count; i++)
		if ((blocks[i].is_never || !allow_private) &&
		    is_within(address, blocks[i].bytes, blocks[i].bits))
			return blocks[i].what;
	return NULL;
}

static const char *objection_v6(const uint8_t *address, bool allow_private)
{
	const char *what = objection(v6_blocks, ARRAY_LEN(v6_blocks), address, allow_private);

	for (size_t i = 0; !what && i < ARRAY_LEN(v4_within_v6); i++)
		if (is_within(address, v4_within_v6[i].bytes, v4_within_v6[i].bits))
			return objection(v4_blocks, ARRAY_LEN(v4_blocks),
					 address + v4_within_v6[i].v4_at, allow_private);
	return what;
}

const char *address_objection(const struct sockaddr *to, bool allow_private)
{
	if (to->sa_family == AF_INET)
		return objection(
			v4_blocks, ARRAY_LEN(v4_blocks),
			(const uint8_t *)&((const struct sockaddr_in *)(const void *)to)->sin_addr,
			allow_private);
	if (to->sa_family == AF_INET6)
		return objection_v6(
			((const struct sockaddr_in6 *)(const void *)to)->sin6_addr.s6_addr,
			allow_private);
	if (to->sa_family == AF_UNIX)
		return allow_private ? NULL : "a socket of this host";
	return "not an internet address";
}

bool address_is_literal(const char *host)
{
	struct in6_addr any;

	return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

static bool is_in_set(const struct address_set *set, const struct addrinfo *ai)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->items[i].len_bytes == ai->ai_addrlen &&
		    memcmp(&set->items[i].to, ai->ai_addr, ai->ai_addrlen) == 0)
			return true;
	return false;
}

static int take_addresses(const char *host, const struct addrinfo *list, bool allow_private,
			  struct address_set *out, char why[ADDRESS_WHY_SIZE])
{
	for (const struct addrinfo *ai = list; ai && out->count < ADDRESS_MAX; ai = ai->ai_next) {
		struct address *a = &out->items[out->count];
		const char *what = address_objection(ai->ai_addr, allow_private);
		char text[NI_MAXHOST] = "?";

		if (what) {
			getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof(text), NULL, 0,
				    NI_NUMERICHOST);
			snprintf(why, ADDRESS_WHY_SIZE,
				 "%.80s is at %.50s, %s, which may not be called", host, text,
				 what);
			return -EACCES;
		}
		if (is_in_set(out, ai))
			continue;
		memcpy(&a->to, ai->ai_addr, ai->ai_addrlen);
		a->len_bytes = ai->ai_addrlen;
		out->count++;
	}
	return 0;
}

/* Connecting a UDP socket sends nothing, but asks the kernel for a route. */
static bool has_route(const struct address *a)
{
	int fd = socket(a->to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool yes = fd >= 0 && connect(fd, &a->to.any, a->len_bytes) == 0;

	if (fd >= 0)
		close(fd);
	return yes;
}

/* A host without IPv6 must not lose every second connection to an address it cannot reach. */
static void drop_unroutable(struct address_set *set)
{
	struct address_set kept = {0};

	for (size_t i = 0; set->count > 1 && i < set->count; i++)
		if (has_route(&set->items[i]))
			kept.items[kept.count++] = set->items[i];
	if (kept.count)
		*set = kept;
}

/* glibc keeps what it read of resolv.conf in _res, and takes changes for the application's wish. */
static void bound_the_resolver(void)
{
	if (!(_res.options & RES_INIT) && res_init() != 0)
		return;
	_res.retrans = MIN_OF(_res.retrans, RESOLVER_TIMEOUT_S);
	_res.retry = MIN_OF(_res.retry, RESOLVER_TRIES);
}

int address_resolve(const char *host, uint16_t port, bool allow_private, struct address_set *out,
		    char why[ADDRESS_WHY_SIZE])
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV,
	};
	struct address_set set = {0};
	struct addrinfo *list = NULL;
	char service[8];
	int rc;

	snprintf(service, sizeof(service), "%u", port);
	bound_the_resolver();
	rc = getaddrinfo(host, service, &hints, &list);
	if (rc) {
		snprintf(why, ADDRESS_WHY_SIZE, "cannot resolve %.80s: %s", host, gai_strerror(rc));
		return rc == EAI_AGAIN ? -EAGAIN : -ENOENT;
	}
	rc = take_addresses(host, list, allow_private, &set, why);
	freeaddrinfo(list);
	if (rc)
		return rc;
	drop_unroutable(&set);
	*out = set;
	return 0;
}

int address_of_unix(const char *path, struct address_set *out, char why[ADDRESS_WHY_SIZE])
{
	struct address *a = &out->items[0];

	*out = (struct address_set){.count = 1};
	a->len_bytes = sizeof(a->to.local);
	a->to.local.sun_family = AF_UNIX;
	if (strlen(path) < sizeof(a->to.local.sun_path)) {
		memcpy(a->to.local.sun_path, path, strlen(path));
		return 0;
	}
	snprintf(why, ADDRESS_WHY_SIZE, "the path of a unix socket has at most %zu bytes",
		 sizeof(a->to.local.sun_path) - 1);
	return -ENAMETOOLONG;
}

struct address *address_next(struct address_set *set, struct mono now)
{
	size_t chosen = set->next;

	for (size_t i = 0; i < set->count; i++) {
		size_t at = (set->next + i) % set->count;

		if (mono_is_before(now, set->items[at].down_until))
			continue;
		chosen = at;
		break;
	}
	set->next = (chosen + 1) % set->count;
	return &set->items[chosen];
}

void address_set_down(struct address *a, struct mono now)
{
	a->down_until = mono_add_ns(now, DOWN_NS);
}

int address_connect(const struct address *a, bool allow_private, int *fd)
{
	const int on = 1;
	int s, rc = 0;

	if (address_objection(&a->to.any, allow_private))
		return -EACCES;
	s = socket(a->to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -errno;
	if (a->to.any.sa_family != AF_UNIX)
		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(s, &a->to.any, a->len_bytes))
		rc = -errno;
	if (rc && rc != -EINPROGRESS)
		close(s);
	else
		*fd = s;
	return rc;
}
