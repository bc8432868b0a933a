/*
 * inventory.h - the functions of an account, as its cloud lists them.
 */
#ifndef PLIMSOLL_CMD_PLIMSOLL_INVENTORY_H
#define PLIMSOLL_CMD_PLIMSOLL_INVENTORY_H

#include "common/aws/lambda.h"
#include "common/base/exit_code.h"
#include "common/config/config.h"

/* account NULL: the SDK's defaults. False, and told on stderr, when it could not be read. */
enum exit_code inventory_read(const struct config_account *account, struct lambda_list *out);

#endif
