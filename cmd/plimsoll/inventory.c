#include "cmd/plimsoll/inventory.h"

#include "common/base/log.h"

enum exit_code inventory_read(const struct config_account *account, struct lambda_list *out)
{
	struct aws_options o;
	struct aws_client *c = NULL;
	struct aws_error err = {0};
	int rc;

	aws_options_from_account(account, &o);
	rc = aws_client_new(&o, &c, &err);
	if (!rc)
		rc = lambda_list_functions(c, out, &err);
	if (rc)
		log_error("%s", err.text);
	aws_client_free(c);
	if (rc)
		return aws_fault_is_yours(err.fault) ? EXIT_USAGE : EXIT_AGAIN;
	return EXIT_FINE;
}
