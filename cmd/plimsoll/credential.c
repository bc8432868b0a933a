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
	const char *config, *run, *functions, *state;
	int64_t duration_ms;
	bool wants_help;
};

static const struct opt rows[] = {
	{"config", 'c', OPT_STRING, offsetof(struct credential_opts, config), "FILE", NULL,
	 "settings; default as all commands find it"},
	{"run", 0, OPT_STRING, offsetof(struct credential_opts, run), "ID", NULL,
	 "name of the session"},
	{"functions", 0, OPT_STRING, offsetof(struct credential_opts, functions), "A,B,C", NULL,
	 "functions that the session may invoke, and nothing else (accounts with a role)"},
	{"duration", 0, OPT_DURATION_MS, offsetof(struct credential_opts, duration_ms), "TIME",
	 NULL, "life of the session; default $" DURATION_VARIABLE ", else 1h"},
	{"state", 0, OPT_STRING, offsetof(struct credential_opts, state), "DIR", NULL,
	 "folder of the limiter that the account's callers share"},
	{"help", 'h', OPT_FLAG, offsetof(struct credential_opts, wants_help), NULL, NULL,
	 "print this help"},
};

static const struct opt_usage usage = {
	.program = "plimsoll credential",
	.synopsis = "ACCOUNT [options]",
	.about = "Prints the account's credentials as credential_process JSON (Version 1), after\n"
		 "AssumeRole where the account has a role. Without a configuration file the\n"
		 "credentials are those of the SDKs' chain.",
	.exits = "0 printed; 100 something must be changed (stderr says what); 111 try again",
};

static int refuse(enum exit_code code, const char *text)
{
	fprintf(stderr, "plimsoll credential: %s\n", text);
	return code;
}

/* 0 with *out NULL when there is no configuration at all. */
static int load_config(const struct credential_opts *o, struct config **out)
{
	struct config_errors errs = {0};
	char *path = paths_config(o->config);
	int rc;

	*out = NULL;
	if (!path)
		return EXIT_FINE;
	rc = config_load(path, out, &errs);
	if (rc)
		config_errors_print(&errs, stderr);
	config_errors_release(&errs);
	free(path);
	return rc ? EXIT_USAGE : EXIT_FINE;
}

static int unknown_account(const struct config *c, const char *name)
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

static int print_creds(const struct aws_creds *creds)
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

static int fetch_and_print(const struct aws_options *options)
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

static int print_for(const struct credential_opts *o, const struct config_account *account,
		     const char *name)
{
	struct buf policy = BUF_INIT(POLICY_MAX_BYTES);
	struct aws_options options;
	char *region;
	int code;

	if (account && account->provider != PROVIDER_AWS)
		return refuse(EXIT_USAGE, "this account's provider knows no credentials; name an "
					  "account with provider: aws");
	aws_options_from_account(account, &options);
	options.account = name;
	options.session_name = o->run;
	options.duration_s = session_seconds(o);
	options.limiter_dir = o->state;
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

static int credential(const struct credential_opts *o, const char *name)
{
	const struct config_account *account = NULL;
	struct config *config;
	int code = load_config(o, &config);

	if (code)
		return code;
	if (config)
		account = config_account(config, name);
	if (config && !account)
		code = unknown_account(config, name);
	else
		code = print_for(o, account, name);
	config_free(config);
	return code;
}

int cmd_credential(int argc, char **argv)
{
	struct credential_opts o = {0};
	struct opt_table table = {rows, ARRAY_LEN(rows), &o};
	struct buf why = BUF_INIT(1024);
	const char **rest = x_calloc((size_t)argc + 1, sizeof(*rest));
	size_t rest_count = 0;
	int code;

	if (opt_parse(&table, 1, argc, argv, rest, &rest_count, &why) != 0) {
		code = refuse(EXIT_USAGE, buf_str(&why));
	} else if (o.wants_help) {
		opt_help(stdout, &usage, &table, 1);
		code = EXIT_FINE;
	} else if (rest_count != 1) {
		code = refuse(EXIT_USAGE, "name one account; see plimsoll credential --help");
	} else {
		code = credential(&o, rest[0]);
	}
	free(rest);
	buf_release(&why);
	return code;
}
