#include "cmd/sink/figures.h"

#include <math.h>

/* Three digits that count: 8.25, 61.0, 141. */
static int decimals(double magnitude)
{
	return magnitude >= 99.95 ? 0 : magnitude >= 9.995 ? 1 : 2;
}

struct scale {
	double from, divide_by;
	const char *unit;
};

static void scaled(double v, const struct scale *scales, size_t count, char out[FIGURE_SIZE])
{
	const struct scale *s = &scales[0];
	double shown;

	for (size_t i = 1; i < count; i++) {
		if (fabs(v) >= scales[i].from)
			s = &scales[i];
	}
	shown = v / s->divide_by;
	snprintf(out, FIGURE_SIZE, "%.*f %s", s->divide_by > 1 ? decimals(fabs(shown)) : 0, shown,
		 s->unit);
}

static void time_us(double v, char out[FIGURE_SIZE])
{
	static const struct scale scales[] = {
		{0, 1, "µs"}, {999.5, 1e3, "ms"}, {999.5e3, 1e6, "s"}};

	scaled(v, scales, ARRAY_LEN(scales), out);
}

static void size_kib(double v, char out[FIGURE_SIZE])
{
	static const struct scale scales[] = {{0, 1, "KiB"}, {1000, 1024, "MiB"}};

	scaled(v, scales, ARRAY_LEN(scales), out);
}

static void money_usd(double v, char out[FIGURE_SIZE])
{
	snprintf(out, FIGURE_SIZE, "%.3g USD", v);
}

static void ratio(double v, char out[FIGURE_SIZE])
{
	snprintf(out, FIGURE_SIZE, "%.2f %%", 100 * v);
}

void figure_value(const struct json *v, const char *unit, char out[FIGURE_SIZE])
{
	static const struct {
		const char *unit;
		void (*format)(double v, char out[FIGURE_SIZE]);
	} rows[] = {{"us", time_us}, {"KiB", size_kib}, {"usd", money_usd}, {"1", ratio}};

	if (!json_is_num(v)) {
		snprintf(out, FIGURE_SIZE, "–");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (unit != NULL && strcmp(unit, rows[i].unit) == 0) {
			rows[i].format(json_real(v), out);
			return;
		}
	}
	snprintf(out, FIGURE_SIZE, "%.6g%s%s", json_real(v), unit ? " " : "", unit ? unit : "");
}

void figure_foreign(const struct json *v, const char *unit, char out[FIGURE_SIZE])
{
	figure_value(v, unit && strcmp(unit, "1") == 0 ? NULL : unit, out);
}

bool figure_is_of_tool(const struct json *objective)
{
	const char *metric = json_get_str(objective, "metric");

	return metric && strchr(metric, '/');
}

void figure_objective(const struct json *objective, char out[FIGURE_SIZE])
{
	const struct json *value = json_get(objective, "value");
	const char *unit = json_get_str(objective, "unit");
	const char *reason = json_get_str(objective, "reason");

	if (!value && reason)
		snprintf(out, FIGURE_SIZE, "%s", reason);
	else if (figure_is_of_tool(objective))
		figure_foreign(value, unit, out);
	else
		figure_value(value, unit, out);
}

static const char *sign_of(const char *kind)
{
	return kind != NULL && strcmp(kind, "points") == 0 ? "pp" : "%";
}

void figure_diff(const struct json *diff, const char *kind, char out[FIGURE_SIZE])
{
	double percent = 100 * json_real(diff);

	if (json_is_num(diff))
		snprintf(out, FIGURE_SIZE, "%+.*f %s", decimals(fabs(percent)), percent,
			 sign_of(kind));
	else
		snprintf(out, FIGURE_SIZE, "–");
}

void figure_size(const struct json *diff, const char *kind, char out[FIGURE_SIZE])
{
	double percent = 100 * json_real(diff);

	snprintf(out, FIGURE_SIZE, "%.*f %s", decimals(percent), percent, sign_of(kind));
}

void figure_interval(const struct json *low, const struct json *high, const char *kind,
		     char out[FIGURE_SIZE])
{
	double a = 100 * json_real(low), b = 100 * json_real(high);
	int digits = decimals(MAX_OF(fabs(a), fabs(b)));

	out[0] = '\0';
	if (json_is_num(low) && json_is_num(high))
		snprintf(out, FIGURE_SIZE, "%+.*f … %+.*f %s", digits, a, digits, b, sign_of(kind));
}

void figure_tolerance(const struct json *tolerance, char out[FIGURE_SIZE])
{
	const struct json *of_ratio = json_get(tolerance, "ratio");
	const struct json *points = json_get(tolerance, "points");

	out[0] = '\0';
	if (json_is_num(of_ratio))
		snprintf(out, FIGURE_SIZE, "±%g %%", 100 * json_real(of_ratio));
	else if (json_is_num(points))
		snprintf(out, FIGURE_SIZE, "±%g pp", 100 * json_real(points));
}
