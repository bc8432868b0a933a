/*
 * rng.h - splitmix64 and Fisher-Yates: random that is a pure function of its seed (rank 0).
 *
 * Sebastiano Vigna, splitmix64.c (public domain), https://prng.di.unimi.it/splitmix64.c.
 * Not for secrets: digest_random is.
 */
#ifndef PLIMSOLL_BASE_RNG_H
#define PLIMSOLL_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Uniform in [0, n), n > 0, without bias (Lemire's multiplication with rejection). */
uint64_t rng_below(struct rng *r, uint64_t n);
/* Uniform in [0, 1) with 53 bits. */
double rng_unit(struct rng *r);
/* Fisher-Yates over indexes, from the last place down. */
void rng_shuffle(struct rng *r, uint32_t *items, size_t count);

#endif
