/*
 * settings.h - every setting there is, as tables of rows (rank 2).
 *
 * One row is one key: its type, range, default and a sentence about it. The reader (read.c), the
 * release of strings, docs/CONFIG.md and the JSON Schema all walk the same rows, so a new setting
 * is a field in config.h and one row in settings.c.
 *
 * A section is the rows that may stand in one mapping. Which of them belong to one kind of entry
 * only (an account's provider, a test's executor) is said in .only.
 */
#ifndef PLIMSOLL_CONFIG_SETTINGS_H
#define PLIMSOLL_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

#define STATUS_SCHEMA                                                                              \
	"{\"type\":\"integer\",\"minimum\":100,\"maximum\":599},"                                  \
	"{\"type\":\"string\",\"pattern\":\"^[1-5]xx$\"}"

/* X(symbol, reader in value.c, list.c, expect.c or payload.c, what the field owns, what is
 * expected, JSON Schema) */
#define SETTING_TYPES(X)                                                                           \
	X(T_TEXT, read_text, OWNS_TEXT, "text", "{\"type\":\"string\"}")                           \
	X(T_VERBATIM, read_verbatim, OWNS_TEXT, "text (JSON in single quotes)",                    \
	  "{\"type\":\"string\"}")                                                                 \
	X(T_NAME, read_name, OWNS_TEXT, "a name of letters, digits and . _ -, at most 64",         \
	  "{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9._-]{1,64}$\"}")                          \
	X(T_QUALIFIER, read_qualifier, OWNS_TEXT, "the name of an alias, a version, or $LATEST",   \
	  "{\"type\":\"string\"}")                                                                 \
	X(T_WORD, read_word, OWNS_TEXT, "one of", NULL)                                            \
	X(T_CHOICE, read_choice, OWNS_NOTHING, "one of", NULL)                                     \
	X(T_BOOL, read_bool, OWNS_NOTHING, "true or false", "{\"type\":\"boolean\"}")              \
	X(T_COUNT, read_count, OWNS_NOTHING, "a whole number", "{\"type\":\"integer\"}")           \
	X(T_COUNT64, read_count64, OWNS_NOTHING, "a whole number", "{\"type\":\"integer\"}")       \
	X(T_STATUSES, read_statuses, OWNS_JSON,                                                    \
	  "an HTTP status, a class such as 2xx, or a list such as [200, 404, 3xx]",                \
	  "{\"anyOf\":[" STATUS_SCHEMA ",{\"type\":\"array\",\"minItems\":1,\"maxItems\":16,"      \
	  "\"items\":{\"anyOf\":[" STATUS_SCHEMA "]}}]}")                                          \
	X(T_EXPECT_TEXT, read_expect_text, OWNS_JSON, "text (JSON in single quotes)",              \
	  "{\"type\":\"string\"}")                                                                 \
	X(T_EXPECT_HEADERS, read_expect_headers, OWNS_JSON,                                        \
	  "NAME: value, or NAME: {contains: text} or {present: true}",                             \
	  "{\"type\":\"object\",\"additionalProperties\":{\"anyOf\":[{\"type\":[\"string\","       \
	  "\"number\"]},{\"type\":\"object\",\"maxProperties\":1,\"minProperties\":1,"             \
	  "\"properties\":"                                                                        \
	  "{\"equals\":{\"type\":\"string\"},\"contains\":{\"type\":\"string\"},\"present\":{"     \
	  "\"type\":"                                                                              \
	  "\"boolean\"}},\"additionalProperties\":false}]}}")                                      \
	X(T_EXPECT_JSON, read_expect_json, OWNS_JSON, "POINTER: value such as {/ok: true}",        \
	  "{\"type\":\"object\",\"patternProperties\":{\"^(/|$)\":{\"type\":[\"string\","          \
	  "\"number\",\"boolean\",\"null\"]}},\"additionalProperties\":false}")                    \
	X(T_EXPECT_SIZE, read_expect_size, OWNS_JSON, "bytes such as {min: 1, max: 65536}",        \
	  "{\"type\":\"object\",\"minProperties\":1,\"properties\":{\"min\":{\"type\":"            \
	  "\"integer\"},"                                                                          \
	  "\"max\":{\"type\":\"integer\"}},\"additionalProperties\":false}")                       \
	X(T_NUMBER, read_number, OWNS_NOTHING, "a number", "{\"type\":\"number\"}")                \
	X(T_PRICE, read_price, OWNS_NOTHING, "a price such as 0.0000166667 USD",                   \
	  "{\"type\":[\"number\",\"string\"]}")                                                    \
	X(T_DURATION, read_duration, OWNS_NOTHING, "a duration such as 30s or 5m",                 \
	  "{\"type\":\"string\",\"pattern\":\"^([0-9.]+(us|ms|s|m|h|d))+$\"}")                     \
	X(T_RATE, read_rate, OWNS_NOTHING, "a rate such as 10/s",                                  \
	  "{\"type\":\"string\",\"pattern\":\"^[0-9.]+/(s|m|h)$\"}")                               \
	X(T_MONEY, read_money, OWNS_NOTHING, "an amount such as 0.50 USD",                         \
	  "{\"type\":[\"number\",\"string\"],\"pattern\":\"^[0-9.]+( USD)?$\"}")                   \
	X(T_RATIO, read_ratio, OWNS_NOTHING, "a ratio such as 10%",                                \
	  "{\"type\":[\"number\",\"string\"],\"pattern\":\"^[0-9.]+%?$\"}")                        \
	X(T_URL, read_url, OWNS_TEXT, "a URL such as https://host/path",                           \
	  "{\"type\":\"string\",\"pattern\":\"^https?://\"}")                                      \
	X(T_PATH, read_path, OWNS_TEXT, "the path of a file", "{\"type\":\"string\"}")             \
	X(T_PROGRAM, read_program, OWNS_TEXT,                                                      \
	  "a program: a path such as ./mine, or a bare name that is in PATH",                      \
	  "{\"type\":\"string\"}")                                                                 \
	X(T_SECRET, read_secret, OWNS_TEXT,                                                        \
	  "file:/path, credential:NAME, ${NAME} or the text itself", "{\"type\":\"string\"}")      \
	X(T_SECRET_KEY, read_secret_key, OWNS_TEXT,                                                \
	  "a CURVE key: file:/path, credential:NAME, ${NAME} or 40 characters of Z85",             \
	  "{\"type\":\"string\"}")                                                                 \
	X(T_KEY, read_key, OWNS_TEXT, "a CURVE key: 40 characters of Z85, in quotes",              \
	  "{\"type\":\"string\",\"minLength\":40,\"maxLength\":40}")                               \
	X(T_SOCKET, read_socket, OWNS_TEXT, "the path of a unix socket, at most 107 bytes",        \
	  "{\"type\":\"string\"}")                                                                 \
	X(T_ENDPOINTS, read_endpoints, OWNS_LIST,                                                  \
	  "a list of endpoints such as [ipc:///run/plimsoll/planner/work.sock]",                   \
	  "{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"string\","                     \
	  "\"pattern\":\"^(ipc:///|tcp://)\"}}")                                                   \
	X(T_SECRETS, read_secrets, OWNS_NOTHING, "NAME: secret, ...",                              \
	  "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}")                  \
	X(T_POINTER, read_pointer, OWNS_TEXT, "a JSON pointer such as /ctx/id, or header:NAME",    \
	  "{\"type\":\"string\",\"pattern\":\"^(/|header:)\"}")                                    \
	X(T_REGION, read_region, OWNS_TEXT, "a region such as eu-central-1",                       \
	  "{\"type\":\"string\"}")                                                                 \
	X(T_ROLE, read_role, OWNS_TEXT, "an ARN such as arn:aws:iam::111122223333:role/plimsoll",  \
	  "{\"type\":\"string\"}")                                                                 \
	X(T_REPO, read_repo, OWNS_TEXT, "a repository such as owner/name",                         \
	  "{\"type\":\"string\"}")                                                                 \
	X(T_PUBLISH, read_publish, OWNS_NOTHING, "never, or keep and a number such as keep 5",     \
	  "{\"type\":\"string\",\"pattern\":\"^(never|keep [0-9]+)$\"}")                           \
	X(T_SPREAD, read_spread, OWNS_NOTHING, "a whole number, or off",                           \
	  "{\"anyOf\":[{\"type\":\"integer\"},{\"const\":\"off\"},{\"const\":false}]}")            \
	X(T_NAMES, read_names, OWNS_LIST, "a list of names such as [a, b]",                        \
	  "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}")                                  \
	X(T_HOSTS, read_hosts, OWNS_LIST, "a list of hosts such as [api.example.com]",             \
	  "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}")                                  \
	X(T_WHEN, read_when, OWNS_NOTHING, "a list of causes such as [code, memory]", NULL)        \
	X(T_PAYLOAD, read_payload, OWNS_NOTHING, "text (JSON in single quotes)",                   \
	  "{\"type\":\"string\"}")                                                                 \
	X(T_PAYLOADS, read_payloads, OWNS_NOTHING, "a list such as [{file: a.json, weight: 9}]",   \
	  NULL)                                                                                    \
	X(T_FILLING, read_filling_word, OWNS_TEXT,                                                 \
	  "true (values are escaped for JSON), text (as they are) or false",                       \
	  "{\"enum\":[true,false,\"json\",\"text\"]}")                                             \
	X(T_ROWS, read_rows, OWNS_NOTHING,                                                         \
	  "a file that ends in .csv, .ndjson or .jsonl, beneath files:",                           \
	  "{\"type\":\"string\",\"pattern\":\"[.](csv|ndjson|jsonl)$\"}")                          \
	X(T_URL_TEMPLATE, read_url_template, OWNS_TEXT, "a URL such as https://host/path",         \
	  "{\"type\":\"string\",\"pattern\":\"^https?://\"}")                                      \
	X(T_STAGES, read_stages, OWNS_NOTHING,                                                     \
	  "a list such as [{target: 100/s, duration: 30s}]; of users {target: 50, duration: 1m}",  \
	  "{\"type\":\"array\",\"minItems\":1,\"maxItems\":100,\"items\":{\"type\":\"object\","    \
	  "\"required\":[\"target\",\"duration\"],\"properties\":{\"target\":{\"type\":["          \
	  "\"integer\","                                                                           \
	  "\"string\"]},\"duration\":{\"type\":\"string\"}},\"additionalProperties\":false}}")     \
	X(T_FILE, read_file_name, OWNS_TEXT,                                                       \
	  "the name of a file beneath files:", "{\"type\":\"string\"}")                            \
	X(T_SECTION, read_section_row, OWNS_NOTHING, "a mapping", NULL)

enum setting_owns { OWNS_NOTHING, OWNS_TEXT, OWNS_LIST, OWNS_JSON };
enum setting_type {
#define X(symbol, reader, owns, expected, schema) symbol,
	SETTING_TYPES(X)
#undef X
		SETTING_TYPE_COUNT
};

struct setting {
	const char *key;
	enum setting_type type;
	size_t offset;		    /* of the field in the section's struct */
	size_t count_offset;	    /* of a list's count */
	double min, max;	    /* in the unit of the field; max 0 = no bound */
	const char *default_text;   /* read like the file's; NULL = zero */
	const char *words;	    /* T_WORD, T_CHOICE: the choices, one blank between */
	const struct section *rows; /* T_SECTION; fills the same struct */
	const char *only;	  /* kinds of entry it belongs to, one blank between; NULL = all */
	bool is_required;	  /* for the kinds of .only */
	const char *required_for; /* of those only; NULL = all */
	const char *doc;
};

struct section {
	const char *name; /* "accounts.*" in the reference */
	const char *doc;
	const struct setting *rows;
	size_t count;
	const char *kind_key;  /* the key whose value is the kind; NULL = none, or told by hand */
	const char *kind_word; /* what the kind is called in messages: "provider" */
};

extern const struct section section_account, section_function, section_payload, section_test,
	section_gate, section_limits, section_prices, section_bus;

/* What stands at the top, by which shape, and where it is described; for reference and schema. */
enum top_shape {
	TOP_VERSION,
	TOP_FOLDER,
	TOP_NAMED,
	TOP_PATTERNS,
	TOP_OBJECTIVES,
	TOP_METRICS,
	TOP_SECTION
};
struct top_key {
	const char *key;
	enum top_shape shape;
	const struct section *const *sections; /* NULL-terminated; entries of several kinds */
	const char *doc;
};
extern const struct top_key top_keys[];
extern const size_t top_key_count;

/* Sources and sinks: the kind is the entry's name, or "exec" where it has an exec key. */
extern const struct section *const source_sections[]; /* NULL-terminated */
extern const struct section *const sink_sections[];

/* "a duration such as 30s or 5m"; with the range where there is one. */
void setting_expected(const struct setting *s, struct buf *out);
const char *setting_schema(const struct setting *s); /* NULL: made by hand */
enum setting_owns setting_owns(const struct setting *s);
bool has_word(const char *words, const char *word); /* words with one blank between */
void add_words(const char *words, struct buf *out); /* "a, b, c" */

#endif
