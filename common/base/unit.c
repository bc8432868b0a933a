#include "common/base/unit.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"

struct scale {
	const char *suffix;
	double factor;
};

static const struct scale durations_ns[] = {
	{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9},
};
static const struct scale sizes_bytes[] = {
	{"", 1},     {"B", 1},	  {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824.0},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9},
};
static const struct scale rates_per_s[] = {{"/s", 1}, {"/m", 1.0 / 60}, {"/h", 1.0 / 3600}};
static const struct scale moneys_micro[] = {{"", 1e6}, {" USD", 1e6}, {"USD", 1e6}};
static const struct scale ratios[] = {{"", 1}, {"%", 0.01}, {" %", 0.01}};
static const struct scale points[] = {{"pp", 0.01}, {" pp", 0.01}};

/* Plain decimal digits with one point at most: no signs, no exponents, no locale. */
static int parse_decimal(const char **p, double *out)
{
	double value = 0, place = 1;
	bool has_digit = false, is_past_point = false;

	for (;; (*p)++) {
		if (isdigit((unsigned char)**p)) {
			has_digit = true;
			value = value * 10 + (**p - '0');
			place *= is_past_point ? 10 : 1;
		} else if (**p == '.' && !is_past_point) {
			is_past_point = true;
		} else {
			break;
		}
	}
	*out = value / place;
	return has_digit ? 0 : -EINVAL;
}

/* The longest suffix of the table that stands here. */
static const struct scale *match_suffix(const char *p, const struct scale *table, size_t count)
{
	const struct scale *best = NULL;

	for (size_t i = 0; i < count; i++)
		if (!strncmp(p, table[i].suffix, strlen(table[i].suffix)) &&
		    (!best || strlen(table[i].suffix) > strlen(best->suffix)))
			best = &table[i];
	return best;
}

static int parse_scaled(const char *text, const struct scale *table, size_t count, double *out)
{
	const struct scale *s;
	double value;

	if (parse_decimal(&text, &value))
		return -EINVAL;
	s = match_suffix(text, table, count);
	if (!s || text[strlen(s->suffix)])
		return -EINVAL;
	*out = value * s->factor;
	return 0;
}

static int to_i64(double value, int64_t *out)
{
	if (value >= 9.2e18)
		return -ERANGE;
	*out = llround(value);
	return 0;
}

int unit_parse_u64(const char *text, uint64_t *out)
{
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno)
		return -ERANGE;
	*out = value;
	return 0;
}

int unit_parse_i64(const char *text, int64_t *out)
{
	bool is_negative = *text == '-';
	uint64_t value;
	int rc = unit_parse_u64(text + is_negative, &value);

	if (rc)
		return rc;
	if (value > (uint64_t)INT64_MAX)
		return -ERANGE;
	*out = is_negative ? -(int64_t)value : (int64_t)value;
	return 0;
}

int unit_parse_double(const char *text, double *out)
{
	static locale_t c_locale;
	double value;
	char *end;

	if (!c_locale)
		c_locale = newlocale(LC_ALL_MASK, "C", NULL);
	if (!isdigit((unsigned char)*text) && *text != '-' && *text != '.')
		return -EINVAL;
	value = strtod_l(text, &end, c_locale);
	if (end == text || *end)
		return -EINVAL;
	if (!isfinite(value))
		return -ERANGE;
	*out = value;
	return 0;
}

int unit_parse_duration_ns(const char *text, int64_t *out_ns)
{
	double total = 0;

	if (!*text)
		return -EINVAL;
	while (*text) {
		const struct scale *s;
		double value;

		if (parse_decimal(&text, &value))
			return -EINVAL;
		s = match_suffix(text, durations_ns, ARRAY_LEN(durations_ns));
		if (!s)
			return -EINVAL;
		text += strlen(s->suffix);
		total += value * s->factor;
	}
	return to_i64(total, out_ns);
}

int unit_parse_duration_ms(const char *text, int64_t *out_ms)
{
	int64_t ns;
	int rc = unit_parse_duration_ns(text, &ns);

	if (!rc)
		*out_ms = ns / NS_PER_MS;
	return rc;
}

int unit_parse_rate(const char *text, double *out_per_s)
{
	return parse_scaled(text, rates_per_s, ARRAY_LEN(rates_per_s), out_per_s);
}

int unit_parse_size(const char *text, uint64_t *out_bytes)
{
	double value;
	int64_t whole;
	int rc = parse_scaled(text, sizes_bytes, ARRAY_LEN(sizes_bytes), &value);

	if (!rc)
		rc = to_i64(value, &whole);
	if (!rc)
		*out_bytes = (uint64_t)whole;
	return rc;
}

int unit_parse_money(const char *text, int64_t *out_micro_usd)
{
	double value;
	int rc = parse_scaled(text, moneys_micro, ARRAY_LEN(moneys_micro), &value);

	return rc ? rc : to_i64(value, out_micro_usd);
}

int unit_parse_ratio(const char *text, double *out)
{
	return parse_scaled(text, ratios, ARRAY_LEN(ratios), out);
}

int unit_parse_points(const char *text, double *out)
{
	return parse_scaled(text, points, ARRAY_LEN(points), out);
}

const char *unit_expected(enum unit u)
{
	static const char *const words[] = {
		[UNIT_DURATION] = "a duration such as 30s, 5m or 1h30m",
		[UNIT_RATE] = "a rate such as 10/s or 300/m",
		[UNIT_SIZE] = "a size such as 64KiB or 1MiB",
		[UNIT_MONEY] = "an amount such as 0.50 USD",
		[UNIT_RATIO] = "a ratio such as 10% or 0.1",
		[UNIT_POINTS] = "percentage points such as 0.5pp",
		[UNIT_COUNT] = "a whole number",
		[UNIT_NUMBER] = "a number",
	};

	return words[u];
}

void unit_format_duration_ns(int64_t ns, char out[UNIT_TEXT_SIZE])
{
	long long s = ns / NS_PER_S;

	if (ns < 0) {
		char positive[UNIT_TEXT_SIZE];

		unit_format_duration_ns(-ns, positive);
		snprintf(out, UNIT_TEXT_SIZE, "-%.40s", positive);
	} else if (ns < NS_PER_MS) {
		snprintf(out, UNIT_TEXT_SIZE, "%.0f us", (double)ns / 1e3);
	} else if (ns < NS_PER_S) {
		snprintf(out, UNIT_TEXT_SIZE, "%.1f ms", (double)ns / 1e6);
	} else if (ns < 60 * NS_PER_S) {
		snprintf(out, UNIT_TEXT_SIZE, "%.2f s", (double)ns / 1e9);
	} else if (s < 3600) {
		snprintf(out, UNIT_TEXT_SIZE, "%lldm %llds", s / 60, s % 60);
	} else {
		snprintf(out, UNIT_TEXT_SIZE, "%lldh %lldm", s / 3600, s / 60 % 60);
	}
}

void unit_format_money(int64_t micro_usd, char out[UNIT_TEXT_SIZE])
{
	double usd = (double)micro_usd / 1e6;

	snprintf(out, UNIT_TEXT_SIZE, usd < 0.01 ? "%.6f USD" : "%.4f USD", usd);
}

void unit_format_usd(int64_t micro_usd, char out[UNIT_TEXT_SIZE])
{
	snprintf(out, UNIT_TEXT_SIZE, "%lld.%06lld", (long long)(micro_usd / 1000000),
		 (long long)(micro_usd % 1000000));
}
