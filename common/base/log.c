#include "common/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"

#define LOG_LINE_MAX_BYTES 4096
#define LOG_LIMIT_NS (10 * NS_PER_S)

static const char *speaker = "plimsoll";
static enum log_level threshold = LOG_INFO;
static bool is_for_people;

static const struct {
	const char *name, *human;
} levels[] = {
	[LOG_ERROR] = {"error", "error: "},
	[LOG_WARN] = {"warn", "warning: "},
	[LOG_INFO] = {"info", ""},
	[LOG_DEBUG] = {"debug", "debug: "},
};

void log_init(const char *program)
{
	speaker = program;
	is_for_people = isatty(STDERR_FILENO) == 1;
}

void log_set_level(enum log_level level)
{
	threshold = level;
}

int log_level_parse(const char *name, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (!strcmp(name, levels[i].name)) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Control characters would let a hostile name write lines of its own. */
static void add_escaped(struct buf *out, const char *text, bool is_quoted)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (is_quoted && (c == '"' || c == '\\'))
			buf_addf(out, "\\%c", c);
		else if (c == '\n')
			buf_adds(out, "\\n");
		else if (c < 0x20 || c == 0x7f)
			buf_addf(out, "\\x%02x", c);
		else
			buf_addc(out, (char)c);
	}
}

static void write_line(enum log_level level, const char *text)
{
	struct buf line = BUF_INIT(2 * LOG_LINE_MAX_BYTES);
	char now[WALL_RFC3339_SIZE];
	ssize_t wrote;

	if (is_for_people) {
		/* A progress line may stand half written on the terminal. */
		buf_addf(&line, "\r\033[K%s: %s", speaker, levels[level].human);
		add_escaped(&line, text, false);
	} else {
		wall_format_rfc3339(wall_now(), now);
		buf_addf(&line, "time=%s level=%s stage=%s msg=\"", now, levels[level].name,
			 speaker);
		add_escaped(&line, text, true);
		buf_addc(&line, '"');
	}
	buf_addc(&line, '\n');
	wrote = write(STDERR_FILENO, buf_str(&line), line.len_bytes);
	(void)wrote; /* nobody is left to tell */
	buf_release(&line);
}

PRINTF_LIKE(2, 0) static void log_va(enum log_level level, const char *fmt, va_list ap)
{
	char text[LOG_LINE_MAX_BYTES];

	if (level > threshold)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	write_line(level, text);
}

void log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(level, fmt, ap);
	va_end(ap);
}

void log_limited(struct log_limit *l, enum log_level level, const char *fmt, ...)
{
	int64_t now_ns = mono_now().ns;
	va_list ap;

	if (now_ns < l->next_ns) {
		l->left_out++;
		return;
	}
	if (l->left_out)
		log_at(level, "%llu messages like the next were left out",
		       (unsigned long long)l->left_out);
	*l = (struct log_limit){.next_ns = now_ns + LOG_LIMIT_NS};
	va_start(ap, fmt);
	log_va(level, fmt, ap);
	va_end(ap);
}
