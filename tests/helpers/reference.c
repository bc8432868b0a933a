/*
 * reference - prints a page of the reference from the table that the code itself uses.
 *
 *	reference events|metrics|config|schema
 *
 * `make docs` writes docs/ with it; tests/integration/test_docs.py holds the committed pages
 * against it.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/exit_code.h"
#include "common/base/unit.h"
#include "common/config/config.h"
#include "common/event/event.h"
#include "common/prom/prom.h"

static const struct page {
	const char *name;
	void (*write)(struct buf *out);
} pages[] = {
	{"events", event_reference},
	{"metrics", prom_reference},
	{"config", config_reference},
	{"schema", config_json_schema},
};

int main(int argc, char **argv)
{
	struct buf out = BUF_INIT(1024 * 1024);

	for (size_t i = 0; argc == 2 && i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (strcmp(argv[1], pages[i].name) != 0)
			continue;
		pages[i].write(&out);
		fwrite(out.data, 1, out.len_bytes, stdout);
		buf_release(&out);
		return fflush(stdout) ? EXIT_AGAIN : EXIT_FINE;
	}
	fputs("usage: reference events|metrics|config|schema\n", stderr);
	return EXIT_USAGE;
}
