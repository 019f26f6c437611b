/* SPDX-License-Identifier: MIT */
#include "tests/replay/pattern.h"

#include <string.h>

#define STEP UINT64_C(0x9e3779b97f4a7c15)
#define BLOCK_WORDS 8u
#define BLOCK_BYTES (BLOCK_WORDS * sizeof(uint64_t))

uint64_t pattern_mix(uint64_t a, uint64_t b)
{
	uint64_t x = a + b * STEP;

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

void pattern_fill(void *obj, size_t bytes, uint64_t seed)
{
	unsigned char *at = obj;
	uint64_t word = seed;
	size_t off = 0;

	for (; off + sizeof(word) <= bytes; off += sizeof(word)) {
		memcpy(at + off, &word, sizeof(word));
		word += STEP;
	}
	memcpy(at + off, &word, bytes - off);
}

/* Bits that differ in one block; no branch, so that it becomes wide loads. */
static uint64_t block_diff(const unsigned char *at, uint64_t word)
{
	uint64_t diff = 0, found;

	for (unsigned i = 0; i < BLOCK_WORDS; i++) {
		memcpy(&found, at + i * sizeof(found), sizeof(found));
		diff |= found ^ (word + i * STEP);
	}
	return diff;
}

/* Looks word by word from off, where word is what should stand. */
static int locate(const unsigned char *at, size_t bytes, size_t off,
                  uint64_t word, struct pattern_fault *fault)
{
	while (off < bytes) {
		size_t left = bytes - off;
		size_t width = left < sizeof(word) ? left : sizeof(word);
		uint64_t expected = 0, found = 0;

		memcpy(&expected, &word, width);
		memcpy(&found, at + off, width);
		if (expected != found) {
			*fault = (struct pattern_fault){off, expected, found};
			return 1;
		}
		off += width;
		word += STEP;
	}
	return 0;
}

int pattern_check(const void *obj, size_t bytes, uint64_t seed,
                  struct pattern_fault *fault)
{
	const unsigned char *at = obj;
	uint64_t word = seed;
	size_t off = 0;

	while (off + BLOCK_BYTES <= bytes && !block_diff(at + off, word)) {
		off += BLOCK_BYTES;
		word += BLOCK_WORDS * STEP;
	}
	return locate(at, bytes, off, word, fault);
}
