/*
 * load_target.h - what `plimsoll load` calls: a URL that a person typed, or a function of the
 * settings; and the event that tells a loader.
 *
 * Header values may be secrets, so they never stand in an event or in a child's arguments: they
 * are written into a private folder as credentials (load_private.h), and the event names those.
 * That the person typed the URL is the permission to call its host, and no other.
 *
 * DIAGNOSTICS
 *	-EINVAL with why: what was typed cannot be called as it stands.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_LOAD_TARGET_H
#define PLIMSOLL_CMD_PLIMSOLL_LOAD_TARGET_H

#include "cmd/plimsoll/load_files.h"
#include "cmd/plimsoll/load_plan.h"
#include "cmd/plimsoll/settings.h"
#include "common/base/clock.h"
#include "common/base/opt.h"
#include "common/json/json.h"

#define LOAD_PAYLOADS_MAX 64
#define LOAD_HEADERS_MAX 16 /* the loader's SHARD_HEADERS_MAX */

struct load_expect {		 /* as typed; what is not given is not asked */
	const char *status;	 /* "200", "2xx", "200,204" */
	const char *body;	 /* a text in it */
	const char *body_bytes;	 /* "12", "1-1000" */
	struct opt_list headers; /* "Name: value", "Name" */
	struct opt_list json;	 /* "/pointer=value" */
};
/* The member expect of a target; the caller's, also when it fails. */
MUST_CHECK int load_expect(const struct load_expect *e, struct json **out, struct buf *why);

struct load_call { /* as typed; NULL and 0 = not given */
	const char *method, *ca_file, *qualifier;
	const char *http_version, *unix_socket, *cert_file, *key_file;
	struct load_expect expect;
	bool has_templates; /* data and URL hold placeholders */
	const char *rows, *rows_order;
	struct opt_list data; /* texts, "@FILE" */
	struct opt_list data_files;
	struct opt_list headers; /* "Name: value", "@FILE" */
};

struct load_header {
	char *name, *value;
};

struct load_rows {  /* values of {{row.COLUMN}}, of a file beneath the loaders' folder of files */
	char *file; /* owned; NULL = none */
	char sha256_hex[SHA256_HEX_SIZE];
	const char *format, *order; /* "csv", "ndjson"; "in-order", "random"; borrowed */
};

struct load_payload {
	char *bytes; /* owned */
	size_t len_bytes;
	double weight;
	const char *filling; /* "json", "text": it holds placeholders; NULL = none; borrowed */
	struct load_rows rows;
};

struct load_target {
	const char *kind; /* "http", "lambda-invoke" */
	char *account, *url, *authority;
	char *http_method;		  /* NULL: GET, or POST with a payload */
	char *http_version, *unix_socket; /* NULL: 1.1, TCP */
	char *cert_file, *key_file;	  /* absolute, as ca_file; NULL = none */
	char *region, *function, *qualifier, *ca_file, *instance, *cold;
	struct json *expect; /* as in shard.planned */
	struct load_header headers[LOAD_HEADERS_MAX];
	size_t header_count;
	char *files;	  /* the folder of rows, when it is not that of the settings */
	bool is_template; /* path and query hold placeholders */
	struct load_payload payloads[LOAD_PAYLOADS_MAX];
	size_t payload_count;
};

/* The target is to be released in any case. */
MUST_CHECK int load_target_url(const struct load_call *call, const char *url,
			       struct load_target *out, struct buf *why);
/* subject: "prod/hello" of the settings. */
MUST_CHECK int load_target_function(const struct load_call *call, const struct settings *s,
				    const char *subject, struct load_target *out, struct buf *why);
/* --template and --rows, for data and URL; load_rows.c. */
MUST_CHECK int load_target_fill(const struct load_call *call, struct load_target *t,
				struct buf *why);
/* Text, NUL-terminated; NULL is passed over. */
void load_target_add_payload(struct load_target *t, char *text_take);
void load_target_release(struct load_target *t); /* wipes the values of headers */

/* One shard: process i of the plan carries its share of workload w. */
struct load_shard {
	const struct load_plan *plan;
	const struct load_target *target;
	const char *run;
	size_t work;
	uint32_t process;
	struct wall start_at;
};
/* The data of its shard.planned; the caller's. */
struct json *load_shard_json(const struct load_shard *sh);

#endif
