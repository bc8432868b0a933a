#include "common/base/exit_code.h"

#include "common/base/bug.h"

enum exit_code exit_code_worse(enum exit_code a, enum exit_code b)
{
	static const enum exit_code order[] = {EXIT_CANCELLED, EXIT_BUG,     EXIT_USAGE,
					       EXIT_AGAIN,     EXIT_GATE_NO, EXIT_CANNOT_TELL};

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return EXIT_FINE;
}
