#include "common/bus/allow.h"

#include <errno.h>
#include <string.h>
#include <zmq.h>

void bus_key_new(char public_key[BUS_KEY_SIZE], char secret_key[BUS_KEY_SIZE])
{
	BUG_ON(zmq_curve_keypair(public_key, secret_key) != 0);
}

int bus_key_public(const char *secret_key, char out[BUS_KEY_SIZE])
{
	char public_key[BUS_KEY_SIZE];

	if (!bus_key_is_fine(secret_key) || zmq_curve_public(public_key, secret_key) != 0)
		return -EINVAL;
	memcpy(out, public_key, BUS_KEY_SIZE);
	return 0;
}
