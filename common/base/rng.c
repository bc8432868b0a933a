#include "common/base/rng.h"

#include "common/base/bug.h"

uint64_t rng_below(struct rng *r, uint64_t n)
{
	__extension__ typedef unsigned __int128 wide;
	uint64_t least;
	wide product;

	BUG_ON(n == 0);
	least = -n % n;
	do {
		product = (wide)rng_next(r) * n;
	} while ((uint64_t)product < least);
	return (uint64_t)(product >> 64);
}

double rng_unit(struct rng *r)
{
	return (double)(rng_next(r) >> 11) * 0x1.0p-53;
}

void rng_shuffle(struct rng *r, uint32_t *items, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t j = rng_below(r, i);
		uint32_t kept = items[i - 1];

		items[i - 1] = items[j];
		items[j] = kept;
	}
}
