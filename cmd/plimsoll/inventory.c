#include "cmd/plimsoll/inventory.h"

#include "common/base/log.h"

bool inventory_read(const struct config_account *account, struct lambda_list *out)
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
	return rc == 0;
}
