/* doctor_world.c - who else must answer: clouds, the Pushgateway, Prometheus, the services. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/plimsoll/doctor.h"
#include "common/aws/lambda.h"
#include "common/json/json.h"

#define ANSWER_MAX_BYTES ((size_t)8 * 1024 * 1024)
#define CLOUD_CLOCK_WARNING_NS (30 * NS_PER_S)
#define CLOUD_CLOCK_WRONG_NS (240 * NS_PER_S) /* signatures are refused from 5 minutes on */
#define GATEWAY_DEFAULT "http://127.0.0.1:9091"

bool doctor_get(struct doctor *d, const char *url, struct http_response *out)
{
	const struct http_request req = {.method = "GET", .url = url, .timeout_ms = d->wait_ms};

	return http_do(d->http, &req, out) == 0;
}

/* ---- clouds ---- */

static bool is_late(void *ctx)
{
	const struct mono *until = ctx;

	return !mono_is_before(mono_now(), *until);
}

/* The date that a cloud puts on its answers, whatever they are. */
static void check_cloud_clock(struct doctor *d, const struct config_account *a, const char *region)
{
	char *url = aws_endpoint(AWS_STS, a->endpoint, a->profile, region);
	struct http_response r = HTTP_RESPONSE_INIT;
	char date[64];
	struct wall at;
	int64_t off_ns;

	if (doctor_get(d, url, &r) && http_response_header(&r, "Date", date, sizeof(date)) &&
	    wall_parse_http(date, &at) == 0) {
		off_ns = wall_diff_ns(wall_now(), at);
		off_ns = off_ns < 0 ? -off_ns : off_ns;
		if (off_ns > CLOUD_CLOCK_WARNING_NS)
			doctor_say(d, off_ns > CLOUD_CLOCK_WRONG_NS ? DOCTOR_WRONG : DOCTOR_WARNING,
				   "set this host's clock: chrony or systemd-timesyncd",
				   "account %s: our clock is %.0f s off the cloud's", a->name,
				   (double)off_ns / NS_PER_S);
	}
	http_response_release(&r);
	free(url);
}

static void check_cloud(struct doctor *d, const struct config_account *a)
{
	struct mono until = mono_add_ns(mono_now(), d->wait_ms * NS_PER_MS);
	struct lambda_list list = {0};
	struct aws_client *c = NULL;
	struct aws_error err = {0};
	struct aws_options o;
	char *next = NULL;
	int rc;

	aws_options_from_account(a, &o);
	o.is_stopped = is_late;
	o.stop_ctx = &until;
	rc = aws_client_new(&o, &c, &err);
	if (!rc)
		rc = lambda_list_page(c, NULL, &list, &next, &err);
	if (rc && err.fault == AWS_STOPPED)
		doctor_say(d, DOCTOR_AWAY, "network, proxy, firewall; --wait for a slow one",
			   "account %s: no answer in time", a->name);
	else if (rc)
		doctor_say(d, aws_fault_is_yours(err.fault) ? DOCTOR_WRONG : DOCTOR_AWAY,
			   "docs/CREDENTIALS.md", "account %s: %s", a->name, err.text);
	else
		doctor_say(d, DOCTOR_OK, NULL, "account %s: its functions can be listed", a->name);
	if (c)
		check_cloud_clock(d, a, aws_client_region(c));
	free(next);
	lambda_list_release(&list);
	aws_client_free(c);
}

/* The units hand this file over; what the person's own environment says comes first. */
static void take_services_credentials(const struct doctor *d)
{
	char *path = doctor_secret_path(d, "aws");

	if (access(path, R_OK) == 0)
		setenv("AWS_SHARED_CREDENTIALS_FILE", path, 0);
	free(path);
}

void doctor_clouds(struct doctor *d)
{
	size_t count = d->config ? d->config->account_count : 0;

	take_services_credentials(d);
	for (size_t i = 0; i < count; i++) {
		const struct config_account *a = &d->config->accounts[i];

		if (a->provider == PROVIDER_AWS)
			check_cloud(d, a);
		else
			doctor_say(d, DOCTOR_OK, NULL,
				   "account %s: %zu hosts may be called; none was called now",
				   a->name, a->allow_count);
	}
}

/* ---- the Pushgateway ---- */

static struct json *parse(const struct http_response *r)
{
	struct json *v = NULL;
	char why[200];

	if (json_parse(buf_str(&r->body), r->body.len_bytes, ANSWER_MAX_BYTES, &v, why))
		return NULL;
	return v;
}

static void check_gateway_flags(struct doctor *d, const char *url)
{
	char *status = x_asprintf("%s/api/v1/status", url);
	struct http_response r = HTTP_RESPONSE_INIT;
	struct json *v = doctor_get(d, status, &r) ? parse(&r) : NULL;
	const struct json *flags = json_at(v, "data.flags");
	const char *is_off = json_get_str(flags, "push.disable-consistency-check");

	if (is_off && strcmp(is_off, "true") != 0)
		doctor_say(
			d, DOCTOR_WARNING,
			"above a few hundred functions use plimsoll-pushgateway.service, or start "
			"it with --push.disable-consistency-check",
			"%s compares every push with all groups", url);
	http_response_release(&r);
	json_free(v);
	free(status);
}

static void check_gateway(struct doctor *d, const char *url)
{
	char *ready = x_asprintf("%s/-/ready", url);
	struct http_response r = HTTP_RESPONSE_INIT;

	if (!doctor_get(d, ready, &r))
		doctor_say(d, DOCTOR_AWAY, "systemctl status plimsoll-pushgateway", "%s: %s", url,
			   r.why);
	else if (r.status != 200)
		doctor_say(d, DOCTOR_AWAY, "is it a Pushgateway, and is it its whole URL?",
			   "%s/-/ready answers %d", url, r.status);
	else
		doctor_say(d, DOCTOR_OK, NULL, "%s is ready", url);
	if (r.status == 200)
		check_gateway_flags(d, url);
	http_response_release(&r);
	free(ready);
}

void doctor_gateways(struct doctor *d)
{
	for (size_t i = 0; d->config && i < d->config->sink_count; i++) {
		const struct config_sink *s = &d->config->sinks[i];

		if (strcmp(s->kind, "pushgateway") == 0)
			check_gateway(d, s->url ? s->url : GATEWAY_DEFAULT);
	}
}

/* ---- Prometheus ---- */

static struct json *ask_prometheus(struct doctor *d, const char *path)
{
	char *url = x_asprintf("%s%s", d->prometheus, path);
	struct http_response r = HTTP_RESPONSE_INIT;
	struct json *v = NULL;

	if (!doctor_get(d, url, &r))
		doctor_say(d, DOCTOR_AWAY, "is it running, and is --prometheus its URL?", "%s: %s",
			   d->prometheus, r.why);
	else if (!(v = parse(&r)))
		doctor_say(d, DOCTOR_AWAY, "is --prometheus the URL of a Prometheus?",
			   "%s answers %d and no JSON", url, r.status);
	http_response_release(&r);
	free(url);
	return v;
}

static void check_targets(struct doctor *d, const struct json *answer)
{
	const struct json *results = json_at(answer, "data.result");
	size_t down = 0;

	for (size_t i = 0; i < json_len(results); i++) {
		const struct json *r = json_elem(results, i), *labels = json_get(r, "metric");
		const char *value = json_str(json_elem(json_get(r, "value"), 1));

		if (value && strcmp(value, "1") == 0)
			continue;
		down++;
		doctor_say(d, DOCTOR_WARNING, "is it running? does Prometheus reach it?",
			   "it cannot scrape %s at %s", json_get_str(labels, "job"),
			   json_get_str(labels, "instance"));
	}
	if (json_len(results) == 0)
		doctor_say(d, DOCTOR_WARNING,
			   "scrape_configs of share/plimsoll/grafana/prometheus.yml",
			   "%s scrapes none of the services", d->prometheus);
	else
		doctor_say(d, DOCTOR_OK, NULL, "%s scrapes %zu of %zu", d->prometheus,
			   json_len(results) - down, json_len(results));
}

static bool has_group(const struct json *answer, const char *name)
{
	return json_named(json_at(answer, "data.groups"), name) != NULL;
}

/* up{job=~"plimsoll-.+|pushgateway"} */
#define UP_QUERY "/api/v1/query?query=up%7Bjob%3D~%22plimsoll-.%2B%7Cpushgateway%22%7D"

void doctor_prometheus(struct doctor *d)
{
	struct json *answer;

	if (!d->prometheus)
		return;
	answer = ask_prometheus(d, UP_QUERY);
	if (!answer)
		return;
	check_targets(d, answer);
	json_free(answer);
	answer = ask_prometheus(d, "/api/v1/rules");
	if (answer && has_group(answer, "plimsoll"))
		doctor_say(d, DOCTOR_OK, NULL, "it has the alerts");
	else if (answer)
		doctor_say(d, DOCTOR_WARNING,
			   "rule_files: [share/plimsoll/grafana/rules.yml] in its configuration",
			   "it has no alerts of Plimsoll");
	json_free(answer);
}

/* ---- the services themselves ---- */

static const struct {
	const char *name;
	int port; /* of systemd/plimsoll-NAME.socket */
	bool is_main;
} services[] = {
	{"watcher", 9471, true}, {"planner", 9472, true},   {"collector", 9473, true},
	{"sink", 9474, true},	 {"loader@1", 9481, false},
};

static void check_service(struct doctor *d, size_t i)
{
	char *url = x_asprintf("http://127.0.0.1:%d/healthz", services[i].port);
	char *todo = x_asprintf("systemctl status plimsoll-%s; journalctl -u plimsoll-%s",
				services[i].name, services[i].name);
	struct http_response r = HTTP_RESPONSE_INIT;

	if (!doctor_get(d, url, &r))
		doctor_say(d, DOCTOR_WARNING, todo, "%s does not run here: %s", services[i].name,
			   r.why);
	else if (r.status != 200)
		doctor_say(d, DOCTOR_AWAY, todo, "%s is not well: %.*s", services[i].name,
			   (int)strcspn(buf_str(&r.body), "\n"), buf_str(&r.body));
	else
		doctor_say(d, DOCTOR_OK, NULL, "%s is well", services[i].name);
	http_response_release(&r);
	free(todo);
	free(url);
}

/* loader@1 only where its key is. */
void doctor_services(struct doctor *d)
{
	char *loader = doctor_secret_path(d, "loader-1");

	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		if (services[i].is_main ? !d->is_loader : access(loader, F_OK) == 0)
			check_service(d, i);
	free(loader);
}
