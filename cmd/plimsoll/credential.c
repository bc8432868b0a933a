/*
 * credential.c - `plimsoll credential ACCOUNT`: credentials of an account as credential_process
 * JSON on stdout. The loader runs it at its start and before a third of a session's life is left.
 * With --run and --functions the session carries the run's id as its name and may invoke those
 * functions only.
 */
#include <unistd.h>

#include "cmd/plimsoll/command.h"
#include "cmd/plimsoll/paths.h"
#include "common/aws/aws.h"
#include "common/base/exit_code.h"
#include "common/base/fsio.h"
#include "common/base/opt.h"
#include "common/base/strmap.h"
#include "common/base/unit.h"

#define FUNCTIONS_MAX 1000
#define ANSWER_MAX_BYTES (64u * 1024u)
#define POLICY_MAX_BYTES (64u * 1024u)
#define DURATION_VARIABLE "PLIMSOLL_SESSION_DURATION"

struct credential_opts {
	const char *run, *functions;
	int64_t duration_ms;
};

static const struct opt rows[] = {
	{"run", 0, OPT_STRING, offsetof(struct credential_opts, run), "ID", NULL,
	 "name of the session"},
	{"functions", 0, OPT_STRING, offsetof(struct credential_opts, functions), "A,B,C", NULL,
	 "functions that the session may invoke, and nothing else (accounts with a role)"},
	{"duration", 0, OPT_DURATION_MS, offsetof(struct credential_opts, duration_ms), "TIME",
	 NULL, "life of the session; default $" DURATION_VARIABLE ", else 1h"},
};

static enum exit_code refuse(enum exit_code code, const char *text)
{
	fprintf(stderr, "plimsoll credential: %s\n", text);
	return code;
}

static enum exit_code unknown_account(const struct config *c, const char *name)
{
	const char **names = x_calloc(c->account_count + 1, sizeof(*names));
	const char *nearest;

	for (size_t i = 0; i < c->account_count; i++)
		names[i] = c->accounts[i].name;
	nearest = nearest_name(name, names, c->account_count);
	fprintf(stderr, "plimsoll credential: no account %s in %s%s%s%s; add it under accounts:\n",
		name, c->path, nearest ? " (did you mean " : "", nearest ? nearest : "",
		nearest ? "?)" : "");
	free(names);
	return EXIT_USAGE;
}

static int add_policy(const char *list, const char *region, struct buf *policy)
{
	char *copy = x_strdup(list), *at = copy;
	const char *functions[FUNCTIONS_MAX];
	size_t count = 0;
	int rc = 0;

	while (*at && count < FUNCTIONS_MAX) {
		size_t len = strcspn(at, ",");
		bool is_last = at[len] == '\0';

		at[len] = '\0';
		if (len)
			functions[count++] = at;
		at += len + !is_last;
	}
	if (count)
		rc = aws_session_policy(region, functions, count, policy);
	free(copy);
	return rc;
}

static int64_t session_seconds(const struct credential_opts *o)
{
	const char *text = getenv(DURATION_VARIABLE);
	int64_t ms = o->duration_ms;

	if (!ms && text && unit_parse_duration_ms(text, &ms) != 0) {
		fprintf(stderr,
			"plimsoll credential: $" DURATION_VARIABLE " is not %s; it is ignored\n",
			unit_expected(UNIT_DURATION));
		ms = 0;
	}
	return ms / MS_PER_S;
}

static enum exit_code print_creds(const struct aws_creds *creds)
{
	struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
	int rc;

	aws_creds_write_process(creds, &out);
	buf_addc(&out, '\n');
	rc = fs_write_all(STDOUT_FILENO, out.data, out.len_bytes);
	digest_wipe(out.data, out.cap_bytes);
	buf_release(&out);
	return rc ? refuse(EXIT_AGAIN, "cannot write the answer") : EXIT_FINE;
}

static enum exit_code fetch_and_print(const struct aws_options *options)
{
	struct aws_client *client = NULL;
	struct aws_error err = {0};
	const struct aws_creds *creds;
	int rc = aws_client_new(options, &client, &err);

	if (rc == 0)
		rc = aws_client_creds(client, &creds, &err);
	if (rc == 0)
		rc = print_creds(creds);
	else
		rc = refuse(aws_fault_is_yours(err.fault) ? EXIT_USAGE : EXIT_AGAIN, err.text);
	aws_client_free(client);
	return rc;
}

static enum exit_code print_for(const struct door *d, const struct config_account *account,
				const char *name)
{
	const struct credential_opts *o = d->opts;
	struct buf policy = BUF_INIT(POLICY_MAX_BYTES);
	struct aws_options options;
	char *region;
	enum exit_code code;

	if (account && account->provider != PROVIDER_AWS)
		return refuse(EXIT_USAGE, "this account's provider knows no credentials; name an "
					  "account with provider: aws");
	aws_options_from_account(account, &options);
	options.account = name;
	options.session_name = o->run;
	options.duration_s = session_seconds(o);
	options.limiter_dir = d->state;
	region = options.region ? x_strdup(options.region) : aws_default_region(options.profile);
	if (o->functions && add_policy(o->functions, region ? region : "*", &policy) != 0)
		code = refuse(EXIT_USAGE, "the session policy for these functions is longer than "
					  "AWS takes; name fewer --functions");
	else {
		options.policy = policy.len_bytes ? buf_str(&policy) : NULL;
		code = fetch_and_print(&options);
	}
	free(region);
	buf_release(&policy);
	return code;
}

static enum exit_code credential(const struct door *d)
{
	const struct config_account *account = NULL;
	const char *name = d->rest[0];
	struct config *config;
	char *path;
	enum exit_code code = settings_load(d->config, &config, &path);

	if (code != EXIT_FINE)
		return code;
	if (config)
		account = config_account(config, name);
	if (config && !account)
		code = unknown_account(config, name);
	else
		code = print_for(d, account, name);
	config_free(config);
	free(path);
	return code;
}

const struct command command_credential = {
	.name = "credential",
	.group = "plumbing",
	.help = "an account's credentials as credential_process JSON",
	.synopsis = "ACCOUNT [options]",
	.about =
		"Prints the account's credentials as credential_process JSON (Version 1), after\n"
		"AssumeRole where the account has a role. Without a configuration file the\n"
		"credentials are those of the SDKs' chain. --state names the folder of the limiter "
		"that\n"
		"the account's callers share; without it there is none.",
	.exits = "  0 printed   100 you must change something   111 try again",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.opts_bytes = sizeof(struct credential_opts),
	.rest_min = 1,
	.rest_max = 1,
	.wants = "name one account",
	.needs = TAKES_CONFIG | TAKES_STATE,
	.run = credential,
};
