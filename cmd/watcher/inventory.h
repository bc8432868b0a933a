/*
 * inventory.h - without a state nothing can be told apart from the last time: the functions are
 * only listed for a person.
 */
#ifndef PLIMSOLL_CMD_WATCHER_INVENTORY_H
#define PLIMSOLL_CMD_WATCHER_INVENTORY_H

#include "common/base/exit_code.h"
#include "common/config/config.h"

/* Lists every aws account on stderr and says what to do. Blocks. */
enum exit_code inventory_print(const struct config *config);

#endif
