#include "common/event/event.h"

#include <errno.h>

#include "common/event/field.h"

static const struct {
	const char *type;
	size_t max_bytes;
} kinds[EV_KIND_COUNT] = {
#define X(symbol, wire, max) [symbol] = {wire, max},
	EVENT_KINDS(X)
#undef X
};

static char source[128] = "plimsoll";

const char *event_kind_type(enum event_kind kind)
{
	BUG_ON(kind >= EV_KIND_COUNT);
	return kinds[kind].type;
}

const char *event_kind_name(enum event_kind kind)
{
	static char names[EV_KIND_COUNT][32];
	const char *type;

	if (kind >= EV_KIND_COUNT)
		return "other";
	/* "plimsoll.run.planned.v1" without its ends */
	type = kinds[kind].type + strlen("plimsoll.");
	snprintf(names[kind], sizeof(names[kind]), "%.*s", (int)(strlen(type) - strlen(".v1")),
		 type);
	return names[kind];
}

static enum event_kind kind_of(const char *type)
{
	for (int i = 0; type && i < EV_KIND_COUNT; i++)
		if (!strcmp(type, kinds[i].type))
			return (enum event_kind)i;
	return EV_OTHER;
}

bool name_is_valid(const char *name)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789._-";
	size_t len_bytes = name ? strlen(name) : 0;

	if (!len_bytes || len_bytes > NAME_MAX_BYTES || strspn(name, good) != len_bytes)
		return false;
	return strcmp(name, ".") && strcmp(name, "..");
}

int subject_parse(const char *text, struct subject *out)
{
	const char *slash = text ? strchr(text, '/') : NULL;
	struct subject s;

	if (!slash || slash - text > NAME_MAX_BYTES || strlen(slash + 1) > NAME_MAX_BYTES)
		return -EINVAL;
	snprintf(s.account, sizeof(s.account), "%.*s", (int)(slash - text), text);
	snprintf(s.function, sizeof(s.function), "%s", slash + 1);
	if (!name_is_valid(s.account) || !name_is_valid(s.function))
		return -EINVAL;
	*out = s;
	return 0;
}

/* body is checked: fills in what is borrowed from it. */
static int borrow(struct event *ev)
{
	ev->type = json_get_str(ev->body, "type");
	ev->id = json_get_str(ev->body, "id");
	ev->source = json_get_str(ev->body, "source");
	ev->subject = json_get_str(ev->body, "subject");
	ev->run = json_get_str(ev->body, "plimsollrun");
	ev->data = json_get(ev->body, "data");
	return wall_parse_rfc3339(json_get_str(ev->body, "time"), &ev->time);
}

static int check_length(enum event_kind kind, size_t len_bytes, char why[EVENT_WHY_SIZE])
{
	size_t max_bytes = kind < EV_KIND_COUNT ? kinds[kind].max_bytes : EVENT_LINE_MAX_BYTES;

	if (len_bytes <= max_bytes)
		return 0;
	snprintf(why, EVENT_WHY_SIZE, "%zu bytes, at most %zu are allowed in %s", len_bytes,
		 max_bytes, event_kind_name(kind));
	return -E2BIG;
}

static int examine(struct event *ev, char why[EVENT_WHY_SIZE])
{
	int rc;

	if (!json_is(ev->body, JSON_T_OBJ)) {
		snprintf(why, EVENT_WHY_SIZE, "not a JSON object");
		return -EINVAL;
	}
	ev->kind = kind_of(json_get_str(ev->body, "type"));
	rc = event_check(ev->kind, ev->body, why);
	return rc ? rc : borrow(ev);
}

int event_parse(const char *line, size_t len_bytes, struct event *out, char why[EVENT_WHY_SIZE])
{
	struct event ev = {0};
	char json_why[JSON_WHY_SIZE];
	int rc = json_parse(line, len_bytes, EVENT_LINE_MAX_BYTES, &ev.body, json_why);

	if (rc) {
		snprintf(why, EVENT_WHY_SIZE, "%s", json_why);
		return rc == -E2BIG ? rc : -EINVAL;
	}
	rc = examine(&ev, why);
	if (!rc)
		rc = check_length(ev.kind, len_bytes, why);
	if (rc) {
		event_release(&ev);
		return rc;
	}
	ev.line = x_strndup(line, len_bytes);
	ev.line_bytes = len_bytes;
	*out = ev;
	return 0;
}

static struct json *envelope(enum event_kind kind, const char *id, const char *subject,
			     const char *run, struct wall time)
{
	struct json *o = json_obj();
	char when[WALL_RFC3339_SIZE];

	wall_format_rfc3339(time, when);
	json_put_str(o, "specversion", "1.0");
	json_put_str(o, "type", event_kind_type(kind));
	json_put_str(o, "id", id);
	json_put_str(o, "source", source);
	json_put_str(o, "subject", subject);
	json_put_str(o, "plimsollrun", run);
	json_put_str(o, "time", when);
	json_put_str(o, "datacontenttype", "application/json");
	return o;
}

int event_new(struct event *out, enum event_kind kind, const char *id, const char *subject,
	      const char *run, struct wall time, struct json *data_take, char why[EVENT_WHY_SIZE])
{
	struct event ev = {.body = envelope(kind, id, subject, run, time)};
	struct buf line = BUF_INIT(4 * EVENT_LINE_MAX_BYTES);
	int rc;

	json_put(ev.body, "data", data_take ? data_take : json_obj());
	rc = examine(&ev, why);
	if (rc)
		goto out;
	json_write(ev.body, &line);
	/* A buffer that is over leaves out what did not fit: its length says nothing. */
	rc = check_length(kind, buf_is_over(&line) ? line.max_bytes : line.len_bytes, why);
	if (rc)
		goto out;
	ev.line_bytes = line.len_bytes;
	ev.line = buf_steal(&line);
	*out = ev;
out:
	if (rc)
		event_release(&ev);
	buf_release(&line);
	return rc;
}

void event_release(struct event *ev)
{
	json_free(ev->body);
	free(ev->line);
	*ev = (struct event){0};
}

void event_set_source(const char *stage)
{
	char host[65] = "";

	if (gethostname(host, sizeof(host) - 1) || !host[0])
		snprintf(host, sizeof(host), "localhost");
	snprintf(source, sizeof(source), "plimsoll/%s@%s", stage, host);
}
