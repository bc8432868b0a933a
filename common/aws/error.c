#include "common/aws/error.h"

#include <stdarg.h>

static const struct {
	const char *name;
	int code;
	bool is_yours;
} faults[] = {
#define X(symbol, name, code, is_yours) [symbol] = {name, code, is_yours},
	AWS_FAULTS(X)
#undef X
};

const char *aws_fault_name(enum aws_fault f)
{
	return faults[f].name;
}

int aws_fault_errno(enum aws_fault f)
{
	return -faults[f].code;
}

bool aws_fault_is_yours(enum aws_fault f)
{
	return faults[f].is_yours;
}

int aws_error_set(struct aws_error *err, enum aws_fault fault, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		*err = (struct aws_error){.fault = fault};
		va_start(ap, fmt);
		(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
		va_end(ap);
	}
	return aws_fault_errno(fault);
}
