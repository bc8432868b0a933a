#include "cmd/plimsoll/ask.h"

#include <stdio.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/log.h"

#define PAYLOAD_MAX_BYTES (6u * 1024u * 1024u)

char *ask_payload(const char *subject, const char *option)
{
	struct buf line = BUF_INIT(PAYLOAD_MAX_BYTES);
	int c;

	if (!isatty(STDIN_FILENO)) {
		log_error("what should %s be called with? Give %s '{}' (or payload: in its rule); "
			  "nobody is here to be asked",
			  subject, option);
		return NULL;
	}
	fprintf(stderr, "%s will be called with load. Payload (JSON, empty for {}): ", subject);
	while ((c = getchar()) != EOF && c != '\n')
		buf_addc(&line, (char)c);
	if (!line.len_bytes)
		buf_adds(&line, "{}");
	return buf_steal(&line);
}
