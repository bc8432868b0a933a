/* admin_doctor.c - `plimsoll admin doctor`: is this host as it must be, and if not, what to do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/doctor.h"
#include "cmd/plimsoll/look.h"
#include "common/json/json.h"

#define SECRETS_DIR "/etc/plimsoll/secrets"
#define STATE_DIR "/var/lib/plimsoll"
#define FOUND_MAX_BYTES 4096

struct doctor_opts {
	const char *secrets, *state, *prometheus;
	int64_t wait_ms;
	bool is_loader, is_json;
};

#define ROW(field) offsetof(struct doctor_opts, field)
static const struct opt rows[] = {
	{"loader", 0, OPT_FLAG, ROW(is_loader), NULL, NULL,
	 "this is a host of loaders only: no Redis, no other stage"},
	{"secrets", 0, OPT_STRING, ROW(secrets), "DIR", SECRETS_DIR,
	 "passwords and keys, as the units hand them over"},
	{"state", 0, OPT_STRING, ROW(state), "DIR", STATE_DIR, "state of the services"},
	{"prometheus", 0, OPT_STRING, ROW(prometheus), "URL", NULL,
	 "asks this Prometheus too whether it scrapes the services and has the alerts"},
	{"wait", 0, OPT_DURATION_MS, ROW(wait_ms), "TIME", "5s",
	 "how long each answer of somebody else may take"},
	{"json", 0, OPT_FLAG, ROW(is_json), NULL, NULL, "prints JSON, for machines"},
};
#undef ROW

enum { MAIN = 1, LOADER = 2, BOTH = 3 };

/* In the order in which they run. */
static const struct {
	const char *name;
	unsigned where;
	void (*run)(struct doctor *d);
} checks[] = {
	{"settings", BOTH, doctor_settings},
	{"programs", BOTH, doctor_programs},
	{"secrets", BOTH, doctor_secrets},
	{"folders", BOTH, doctor_folders},
	{"redis", MAIN, doctor_redis},
	{"redis settings", MAIN, doctor_redis_settings},
	{"redis version", MAIN, doctor_redis_version},
	{"redis memory", MAIN, doctor_redis_memory},
	{"redis users", MAIN, doctor_redis_users},
	{"library", MAIN, doctor_library},
	{"disk", BOTH, doctor_disk},
	{"clock", MAIN, doctor_clock},
	{"keys", BOTH, doctor_keys},
	{"loaders", MAIN, doctor_loaders},
	{"endpoints", BOTH, doctor_endpoints},
	{"services", BOTH, doctor_services},
	{"cloud", BOTH, doctor_clouds},
	{"pushgateway", MAIN, doctor_gateways},
	{"prometheus", MAIN, doctor_prometheus},
};

static const struct {
	const char *word;
	enum exit_code code;
} levels[] = {
#define X(symbol, word, code) [symbol] = {word, code},
	DOCTOR_LEVELS(X)
#undef X
};

void doctor_say(struct doctor *d, enum doctor_level level, const char *todo, const char *fmt, ...)
{
	struct buf found = BUF_INIT(FOUND_MAX_BYTES);
	va_list ap;

	if (d->count == d->cap) {
		d->cap = MAX_OF(2 * d->cap, (size_t)32);
		d->findings = x_realloc(d->findings, d->cap, sizeof(*d->findings));
	}
	va_start(ap, fmt);
	buf_vaddf(&found, fmt, ap);
	va_end(ap);
	d->findings[d->count++] = (struct doctor_finding){d->check, level, buf_steal(&found),
							  todo ? x_strdup(todo) : NULL};
}

/* ---- what was found, for people and for machines ---- */

static enum text_style style_of(enum doctor_level level)
{
	return level == DOCTOR_OK ? TEXT_GOOD : level == DOCTOR_WARNING ? TEXT_UNSURE : TEXT_BAD;
}

static void add_row(struct table *t, const char *check, const char *word, enum text_style style,
		    const char *text)
{
	table_cell(t, check, TEXT_BOLD);
	table_cell(t, word, style);
	table_cell(t, text, TEXT_PLAIN);
	table_end_row(t);
}

static void print_table(const struct doctor *d)
{
	struct table t = {0};

	for (size_t i = 0; i < d->count; i++) {
		const struct doctor_finding *f = &d->findings[i];

		add_row(&t, f->check, levels[f->level].word, style_of(f->level), f->found);
		if (f->todo) {
			char *text = x_asprintf("-> %s", f->todo);

			add_row(&t, "", "", TEXT_PLAIN, text);
			free(text);
		}
	}
	look_print(&t);
}

static size_t count_of(const struct doctor *d, const char *word)
{
	size_t count = 0;

	for (size_t i = 0; i < d->count; i++)
		count += strcmp(levels[d->findings[i].level].word, word) == 0;
	return count;
}

static void print_sum(const struct doctor *d)
{
	printf("\n%zu ok, %zu warnings, %zu wrong\n", count_of(d, "ok"), count_of(d, "warning"),
	       count_of(d, "wrong"));
}

static struct json *finding_json(const struct doctor_finding *f)
{
	struct json *o = json_obj();

	json_put_str(o, "check", f->check);
	json_put_str(o, "state", levels[f->level].word);
	json_put_str(o, "found", f->found);
	if (f->todo)
		json_put_str(o, "todo", f->todo);
	return o;
}

static void print_json(const struct doctor *d)
{
	struct buf text = BUF_INIT((size_t)4 * 1024 * 1024);
	struct json *o = json_obj(), *list = json_arr();

	for (size_t i = 0; i < d->count; i++)
		json_push(list, finding_json(&d->findings[i]));
	json_put(o, "checks", list);
	for (size_t i = DOCTOR_OK; i <= DOCTOR_WRONG; i++)
		json_put_int(o, levels[i].word, (int64_t)count_of(d, levels[i].word));
	json_write_pretty(o, &text);
	puts(buf_str(&text));
	json_free(o);
	buf_release(&text);
}

static void release(struct doctor *d)
{
	for (size_t i = 0; i < d->count; i++) {
		free(d->findings[i].found);
		free(d->findings[i].todo);
	}
	free(d->findings);
	config_free(d->config);
	http_free(d->http);
	buf_release(&d->redis_info);
	free(d->redis_dir);
}

static enum exit_code examine(const struct door *door)
{
	const struct doctor_opts *o = door->opts;
	struct doctor d = {
		.secrets = o->secrets,
		.state = o->state,
		.prometheus = o->prometheus,
		.config_path = door->config,
		.wait_ms = o->wait_ms,
		.is_loader = o->is_loader,
		.http = http_new(&(struct http_options){0}),
		.redis_info = BUF_INIT((size_t)1024 * 1024),
	};
	enum exit_code code = EXIT_FINE;

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		d.check = checks[i].name;
		if (checks[i].where & (o->is_loader ? LOADER : MAIN))
			checks[i].run(&d);
	}
	for (size_t i = 0; i < d.count; i++)
		code = exit_code_worse(code, levels[d.findings[i].level].code);
	if (o->is_json) {
		print_json(&d);
	} else {
		print_table(&d);
		print_sum(&d);
	}
	release(&d);
	return code;
}

const struct command command_admin_doctor = {
	.name = "admin doctor",
	.group = "administration",
	.help = "checks a host of the services, and says what to do",
	.synopsis = "[--loader] [--json] [--prometheus URL]",
	.about =
		"Looks at everything that the services of this host need, and changes nothing:\n"
		"settings, programs, secrets, folders, Redis and its settings, users and library,\n"
		"the clock, keys and the list of loaders, free disk, whether clouds, the "
		"Pushgateway,\nPrometheus, the services and their endpoints answer. One line a "
		"finding: ok, warning\nor wrong, and what to do. Run it as root: it reads what "
		"only root may read.",
	.exits = "  0 nothing is wrong   100 you must change something   111 something does not "
		 "answer",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.opts_bytes = sizeof(struct doctor_opts),
	.needs = TAKES_CONFIG,
	.run = examine,
};
