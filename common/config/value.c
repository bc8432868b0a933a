/* value.c - scalars: from text to a field, with range and unit. */
#include "common/config/read.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/unit.h"

static char **text_field(const struct setting *s, void *target)
{
	return (char **)(void *)((char *)target + s->offset);
}

static void *field(const struct setting *s, void *target)
{
	return (char *)target + s->offset;
}

static void put_text(const struct setting *s, void *target, char *text_take)
{
	char **f = text_field(s, target);

	free(*f);
	*f = text_take;
}

bool is_word_text(const struct yaml_node *v)
{
	return v->type == YAML_T_SCALAR && !yaml_is_null(v);
}

struct config_place place_in(const struct yaml_node *v, size_t i)
{
	struct config_place at = v->place;

	if (!v->is_block)
		at.column += (int)i + (v->is_plain ? 0 : 1);
	return at;
}

void wrong_value(struct reader *r, const struct setting *s, const struct yaml_node *v)
{
	struct buf what = BUF_INIT(512), expected = BUF_INIT(1024);

	yaml_describe(v, &what);
	setting_expected(s, &expected);
	config_errors_add(r->errs, v->place, "%s is %s, expected %s", s->key, buf_str(&what),
			  buf_str(&expected));
	buf_release(&what);
	buf_release(&expected);
}

static bool is_in_range(const struct setting *s, double value)
{
	return value >= s->min && (s->max == 0 || value <= s->max);
}

/* NULL after telling: no scalar, or empty. */
static const char *scalar(struct reader *r, const struct setting *s, const struct yaml_node *v)
{
	if (is_word_text(v) && v->len_bytes > 0)
		return v->text;
	wrong_value(r, s, v);
	return NULL;
}

/* Parsers of common/base/unit.h, brought to one shape. */
#define NUMBER_READER(name, c_type, parse)                                                         \
	static void name(struct reader *r, const struct setting *s, const struct yaml_node *v,     \
			 void *target)                                                             \
	{                                                                                          \
		const char *text = scalar(r, s, v);                                                \
		c_type value = 0;                                                                  \
                                                                                                   \
		if (!text)                                                                         \
			return;                                                                    \
		if (parse(text, &value) || !is_in_range(s, (double)value))                         \
			wrong_value(r, s, v);                                                      \
		else                                                                               \
			*(c_type *)field(s, target) = value;                                       \
	}

static int parse_u32(const char *text, uint32_t *out)
{
	uint64_t wide;
	int rc = unit_parse_u64(text, &wide);

	if (!rc && wide > UINT32_MAX)
		rc = -ERANGE;
	if (!rc)
		*out = (uint32_t)wide;
	return rc;
}

/* Prices are far below a micro-dollar: a plain number, with or without its currency. */
static int parse_price(const char *text, double *out)
{
	size_t len = strlen(text);
	char number[64];

	if (len > 4 && strcmp(text + len - 4, " USD") == 0)
		len -= 4;
	if (len >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, len);
	number[len] = '\0';
	return unit_parse_double(number, out);
}

NUMBER_READER(read_count, uint32_t, parse_u32)
NUMBER_READER(read_count64, uint64_t, unit_parse_u64)
NUMBER_READER(read_number, double, unit_parse_double)
NUMBER_READER(read_price, double, parse_price)
NUMBER_READER(read_duration, int64_t, unit_parse_duration_ms)
NUMBER_READER(read_rate, double, unit_parse_rate)
NUMBER_READER(read_money, int64_t, unit_parse_money)
NUMBER_READER(read_ratio, double, unit_parse_ratio)

/* ${NAME} in a text, replaced from the environment. NULL after telling. Caller frees. */
static char *expand(struct reader *r, const struct setting *s, const struct yaml_node *v)
{
	struct buf out = BUF_INIT(65536);
	const char *p = scalar(r, s, v);
	char *result = NULL;

	while (p && *p) {
		const char *end = strncmp(p, "${", 2) == 0 ? strchr(p, '}') : NULL;
		char name[128];
		const char *value;

		if (!end || (size_t)(end - p) >= sizeof(name)) {
			buf_addc(&out, *p++);
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)(end - p - 2), p + 2);
		value = getenv(name);
		if (!value) {
			config_errors_add(r->errs, place_in(v, (size_t)(p - v->text)),
					  "the environment has no %.100s, expected it to be set",
					  name);
			goto out;
		}
		buf_adds(&out, value);
		p = end + 1;
	}
	if (p)
		result = buf_steal(&out);
out:
	buf_release(&out);
	return result;
}

static void read_text(struct reader *r, const struct setting *s, const struct yaml_node *v,
		      void *target)
{
	char *text = expand(r, s, v);

	if (text)
		put_text(s, target, text);
}

static void read_verbatim(struct reader *r, const struct setting *s, const struct yaml_node *v,
			  void *target)
{
	const char *text = scalar(r, s, v);

	if (text)
		put_text(s, target, x_strdup(text));
}

#define TEXT_READER(name, is_good)                                                                 \
	static void name(struct reader *r, const struct setting *s, const struct yaml_node *v,     \
			 void *target)                                                             \
	{                                                                                          \
		char *text = expand(r, s, v);                                                      \
                                                                                                   \
		if (text && is_good(text)) {                                                       \
			put_text(s, target, text);                                                 \
		} else if (text) {                                                                 \
			wrong_value(r, s, v);                                                      \
			free(text);                                                                \
		}                                                                                  \
	}

TEXT_READER(read_name, form_is_name)
TEXT_READER(read_qualifier, form_is_qualifier)
TEXT_READER(read_region, form_is_region)
TEXT_READER(read_role, form_is_role)
TEXT_READER(read_repo, form_is_repo)
TEXT_READER(read_pointer, form_is_pointer)
TEXT_READER(read_url, form_is_url)

char *path_beside(const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');

	if (*path == '/' || !slash)
		return x_strdup(path);
	return x_asprintf("%.*s/%s", (int)(slash - file), file, path);
}

static void read_path(struct reader *r, const struct setting *s, const struct yaml_node *v,
		      void *target)
{
	char *text = expand(r, s, v);

	if (text)
		put_text(s, target, path_beside(v->place.file, text));
	free(text);
}

static void read_socket(struct reader *r, const struct setting *s, const struct yaml_node *v,
			void *target)
{
	char *text = expand(r, s, v);
	char *path = text ? path_beside(v->place.file, text) : NULL;

	if (path && form_is_socket(path)) {
		put_text(s, target, path);
		path = NULL;
	} else if (path) {
		wrong_value(r, s, v);
	}
	free(path);
	free(text);
}

/* A bare name is looked up in PATH when it is run; anything with a slash is a path. */
static void read_program(struct reader *r, const struct setting *s, const struct yaml_node *v,
			 void *target)
{
	char *text = expand(r, s, v);

	if (text && strpbrk(text, " \t\n"))
		wrong_value(r, s, v);
	else if (text)
		put_text(s, target,
			 strchr(text, '/') ? path_beside(v->place.file, text) : x_strdup(text));
	free(text);
}

/* The text may be the secret: it is never repeated in a message. */
static void read_hidden(struct reader *r, const struct setting *s, const struct yaml_node *v,
			void *target, bool (*is_good)(const char *))
{
	const char *text = scalar(r, s, v);
	struct buf expected = BUF_INIT(512);

	if (text && is_good(text)) {
		put_text(s, target, x_strdup(text));
	} else if (text) {
		setting_expected(s, &expected);
		config_errors_add(r->errs, v->place,
				  "%s is a secret of a form that is not known, expected %s", s->key,
				  buf_str(&expected));
	}
	buf_release(&expected);
}

void read_secret(struct reader *r, const struct setting *s, const struct yaml_node *v, void *target)
{
	read_hidden(r, s, v, target, form_is_secret);
}

static void read_secret_key(struct reader *r, const struct setting *s, const struct yaml_node *v,
			    void *target)
{
	read_hidden(r, s, v, target, form_is_secret_key);
}

/* As it stands: ${ may be part of a key. */
static void read_key(struct reader *r, const struct setting *s, const struct yaml_node *v,
		     void *target)
{
	const char *text = scalar(r, s, v);

	if (text && form_is_key(text))
		put_text(s, target, x_strdup(text));
	else if (text)
		wrong_value(r, s, v);
}

/* The index among words, or -1 after telling, with the nearest. */
static int find_word(struct reader *r, const struct setting *s, const struct yaml_node *v)
{
	const char *text = scalar(r, s, v), *names[32];
	char *copy = x_strdup(s->words), *save = NULL;
	struct buf near = BUF_INIT(256), list = BUF_INIT(1024);
	size_t count = 0;
	int found = -1;

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		BUG_ON(count == ARRAY_LEN(names));
		if (text && strcmp(w, text) == 0)
			found = (int)count;
		names[count++] = w;
	}
	if (text && found < 0) {
		add_nearest(text, names, count, &near);
		add_words(s->words, &list);
		config_errors_add(r->errs, v->place, "%s is \"%.60s\"%s, expected one of %s",
				  s->key, text, buf_str(&near), buf_str(&list));
	}
	buf_release(&near);
	buf_release(&list);
	free(copy);
	return found;
}

static void read_word(struct reader *r, const struct setting *s, const struct yaml_node *v,
		      void *target)
{
	if (find_word(r, s, v) >= 0)
		put_text(s, target, x_strdup(v->text));
}

static void read_choice(struct reader *r, const struct setting *s, const struct yaml_node *v,
			void *target)
{
	int i = find_word(r, s, v);

	if (i >= 0)
		*(unsigned *)field(s, target) = (unsigned)i;
}

static void read_bool(struct reader *r, const struct setting *s, const struct yaml_node *v,
		      void *target)
{
	bool is_true = v->type == YAML_T_SCALAR && v->is_plain && strcmp(v->text, "true") == 0;

	if (is_true || (v->type == YAML_T_SCALAR && v->is_plain && strcmp(v->text, "false") == 0))
		*(bool *)field(s, target) = is_true;
	else
		wrong_value(r, s, v);
}

static void read_publish(struct reader *r, const struct setting *s, const struct yaml_node *v,
			 void *target)
{
	const char *text = scalar(r, s, v);
	uint32_t keep = 0;

	if (!text)
		return;
	if (strcmp(text, "never") != 0 &&
	    (strncmp(text, "keep ", 5) != 0 || parse_u32(text + 5, &keep) || !is_in_range(s, keep)))
		wrong_value(r, s, v);
	else
		*(uint32_t *)field(s, target) = keep;
}

static void read_spread(struct reader *r, const struct setting *s, const struct yaml_node *v,
			void *target)
{
	const char *text = scalar(r, s, v);
	uint32_t spread = 0;

	if (!text)
		return;
	if (strcmp(text, "off") != 0 && (parse_u32(text, &spread) || !is_in_range(s, spread)))
		wrong_value(r, s, v);
	else
		*(uint32_t *)field(s, target) = spread;
}

static const struct {
	read_fn read;
	enum setting_owns owns;
	const char *expected, *schema;
} types[] = {
#define X(symbol, reader, owns, expected, schema) [symbol] = {reader, owns, expected, schema},
	SETTING_TYPES(X)
#undef X
};

void read_value(struct reader *r, const struct setting *s, const struct yaml_node *v, void *target)
{
	types[s->type].read(r, s, v, target);
}

const char *setting_schema(const struct setting *s)
{
	return types[s->type].schema;
}

enum setting_owns setting_owns(const struct setting *s)
{
	return types[s->type].owns;
}

static void add_bound(const struct setting *s, double value, struct buf *out)
{
	switch (s->type) {
	case T_DURATION:
		if (value >= 3600000)
			buf_addf(out, "%gh", value / 3600000);
		else if (value >= 1000 || value == 0)
			buf_addf(out, "%gs", value / 1000);
		else
			buf_addf(out, "%gms", value);
		break;
	case T_MONEY:
		buf_addf(out, "%.15g USD", value / 1e6);
		break;
	case T_RATE:
		buf_addf(out, "%.15g/s", value);
		break;
	case T_RATIO:
		buf_addf(out, "%.15g%%", value * 100);
		break;
	default:
		buf_addf(out, "%.15g", value);
	}
}

void setting_expected(const struct setting *s, struct buf *out)
{
	buf_adds(out, types[s->type].expected);
	if (s->words) {
		buf_addc(out, ' ');
		add_words(s->words, out);
	}
	if (s->max != 0) {
		buf_adds(out, ", from ");
		add_bound(s, s->min, out);
		buf_adds(out, " to ");
		add_bound(s, s->max, out);
	}
}
