#include "common/base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock_ns(clockid_t id)
{
	struct timespec ts;

	BUG_ON(clock_gettime(id, &ts) != 0);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

struct mono mono_now(void)
{
	return (struct mono){read_clock_ns(CLOCK_MONOTONIC)};
}

int64_t boot_us(void)
{
	return read_clock_ns(CLOCK_BOOTTIME) / NS_PER_US;
}

int64_t mono_diff_ns(struct mono later, struct mono earlier)
{
	return later.ns - earlier.ns;
}

struct mono mono_add_ns(struct mono m, int64_t ns)
{
	return (struct mono){m.ns + ns};
}

bool mono_is_before(struct mono a, struct mono b)
{
	return a.ns < b.ns;
}

struct wall wall_now(void)
{
	return (struct wall){read_clock_ns(CLOCK_REALTIME)};
}

struct wall wall_from_s(int64_t s)
{
	return (struct wall){s * NS_PER_S};
}

/* Towards minus infinity, so that dates before 1970 keep their fraction positive. */
static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int64_t wall_s(struct wall w)
{
	return floor_div(w.ns, NS_PER_S);
}

int64_t wall_ms(struct wall w)
{
	return floor_div(w.ns, NS_PER_MS);
}

int64_t wall_diff_ns(struct wall later, struct wall earlier)
{
	return later.ns - earlier.ns;
}

struct wall wall_add_ns(struct wall w, int64_t ns)
{
	return (struct wall){w.ns + ns};
}

static void utc_of(struct wall w, struct tm *tm)
{
	time_t s = wall_s(w);

	BUG_ON(!gmtime_r(&s, tm));
}

/* Values are reduced first, so that the compiler can see that they fit. */
void wall_format_rfc3339(struct wall w, char out[WALL_RFC3339_SIZE])
{
	struct tm tm;
	int ms = (int)(wall_ms(w) - wall_s(w) * MS_PER_S);

	utc_of(w, &tm);
	snprintf(out, WALL_RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
		 (unsigned)(tm.tm_year + 1900) % 10000u, (unsigned)(tm.tm_mon + 1) % 100u,
		 (unsigned)tm.tm_mday % 100u, (unsigned)tm.tm_hour % 100u,
		 (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u, (unsigned)ms % 1000u);
}

void wall_format_basic(struct wall w, char out[WALL_BASIC_SIZE])
{
	struct tm tm;

	utc_of(w, &tm);
	snprintf(out, WALL_BASIC_SIZE, "%04u%02u%02uT%02u%02u%02uZ",
		 (unsigned)(tm.tm_year + 1900) % 10000u, (unsigned)(tm.tm_mon + 1) % 100u,
		 (unsigned)tm.tm_mday % 100u, (unsigned)tm.tm_hour % 100u,
		 (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u);
}

/* Reads exactly count digits and moves on; sets *bad otherwise. */
static int digits(const char **p, int count, bool *bad)
{
	int value = 0;

	for (int i = 0; i < count; i++, (*p)++) {
		if (!isdigit((unsigned char)**p)) {
			*bad = true;
			return 0;
		}
		value = value * 10 + (**p - '0');
	}
	return value;
}

static void expect(const char **p, char c, bool *bad)
{
	if (**p == c)
		(*p)++;
	else
		*bad = true;
}

/* 64 bits of nanoseconds since 1970 reach from 1677 to 2262. */
static bool fields_are_dates(const struct tm *tm)
{
	return tm->tm_year + 1900 >= 1678 && tm->tm_year + 1900 <= 2261 && tm->tm_mon >= 0 &&
	       tm->tm_mon <= 11 && tm->tm_mday >= 1 && tm->tm_mday <= 31 && tm->tm_hour <= 23 &&
	       tm->tm_min <= 59 && tm->tm_sec <= 60;
}

/* ".123" to nanoseconds; more than nine digits are cut. */
static int64_t fraction_ns(const char **p, bool *bad)
{
	int64_t ns = 0, unit = NS_PER_S / 10;

	if (**p != '.')
		return 0;
	(*p)++;
	if (!isdigit((unsigned char)**p))
		*bad = true;
	for (; isdigit((unsigned char)**p); (*p)++, unit /= 10)
		ns += (**p - '0') * unit;
	return ns;
}

/* "Z", "+01:00" or "+0100"; seconds east of UTC. */
static int64_t zone_s(const char **p, bool *bad)
{
	int sign, hours, minutes;

	if (**p == 'Z' || **p == 'z') {
		(*p)++;
		return 0;
	}
	if (**p != '+' && **p != '-') {
		*bad = true;
		return 0;
	}
	sign = *(*p)++ == '-' ? -1 : 1;
	hours = digits(p, 2, bad);
	if (!*bad && **p == ':')
		(*p)++;
	minutes = digits(p, 2, bad);
	return (int64_t)sign * (hours * 3600 + minutes * 60);
}

static int finish_parse(struct tm *tm, int64_t ns, int64_t east_s, bool bad, struct wall *out)
{
	if (bad || !fields_are_dates(tm))
		return -EINVAL;
	*out = (struct wall){((int64_t)timegm(tm) - east_s) * NS_PER_S + ns};
	return 0;
}

int wall_parse_rfc3339(const char *p, struct wall *out)
{
	struct tm tm = {0};
	bool bad = false;
	int64_t ns, east_s;

	tm.tm_year = digits(&p, 4, &bad) - 1900;
	expect(&p, '-', &bad);
	tm.tm_mon = digits(&p, 2, &bad) - 1;
	expect(&p, '-', &bad);
	tm.tm_mday = digits(&p, 2, &bad);
	if (*p != 'T' && *p != 't' && *p != ' ')
		return -EINVAL;
	p++;
	tm.tm_hour = digits(&p, 2, &bad);
	expect(&p, ':', &bad);
	tm.tm_min = digits(&p, 2, &bad);
	expect(&p, ':', &bad);
	tm.tm_sec = digits(&p, 2, &bad);
	if (bad)
		return -EINVAL;
	ns = fraction_ns(&p, &bad);
	east_s = zone_s(&p, &bad);
	return finish_parse(&tm, ns, east_s, bad || *p, out);
}

int wall_parse_basic(const char *p, struct wall *out)
{
	struct tm tm = {0};
	bool bad = false;

	tm.tm_year = digits(&p, 4, &bad) - 1900;
	tm.tm_mon = digits(&p, 2, &bad) - 1;
	tm.tm_mday = digits(&p, 2, &bad);
	expect(&p, 'T', &bad);
	tm.tm_hour = digits(&p, 2, &bad);
	tm.tm_min = digits(&p, 2, &bad);
	tm.tm_sec = digits(&p, 2, &bad);
	expect(&p, 'Z', &bad);
	return finish_parse(&tm, 0, 0, bad || *p, out);
}

int wall_parse_http(const char *text, struct wall *out)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const char *p = strchr(text, ',');
	struct tm tm = {0};
	bool bad = false;
	char name[4] = "";
	const char *month;

	if (!p || p[1] != ' ')
		return -EINVAL;
	p += 2;
	tm.tm_mday = digits(&p, 2, &bad);
	expect(&p, ' ', &bad);
	for (int i = 0; i < 3 && *p; i++)
		name[i] = *p++;
	month = strstr(months, name);
	if (!month || strlen(name) != 3 || (month - months) % 3)
		return -EINVAL;
	tm.tm_mon = (int)((month - months) / 3);
	expect(&p, ' ', &bad);
	tm.tm_year = digits(&p, 4, &bad) - 1900;
	expect(&p, ' ', &bad);
	tm.tm_hour = digits(&p, 2, &bad);
	expect(&p, ':', &bad);
	tm.tm_min = digits(&p, 2, &bad);
	expect(&p, ':', &bad);
	tm.tm_sec = digits(&p, 2, &bad);
	return finish_parse(&tm, 0, 0, bad || strcmp(p, " GMT") != 0, out);
}
