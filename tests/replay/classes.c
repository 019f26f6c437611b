/* SPDX-License-Identifier: MIT */
#include "tests/replay/classes.h"

#define FINE_N 8u /* classes in 16-byte steps */
#define FINE_STEP 16u
#define FINE_LOG 7u /* they end at 2^7 */

unsigned classes_of(size_t bytes)
{
	size_t last = bytes - 1;
	unsigned log, step;

	if (bytes <= FINE_STEP)
		return 0;
	if (bytes <= FINE_STEP * FINE_N)
		return (unsigned)(last / FINE_STEP);
	if (bytes > CLASSES_MAX_BYTES)
		return CLASSES_N;
	log = 63u - (unsigned)__builtin_clzll(last);
	step = (unsigned)(last >> (log - 2)) & 3u;
	return FINE_N + (log - FINE_LOG) * 4 + step;
}

size_t classes_bytes(unsigned class_ix)
{
	unsigned coarse = class_ix - FINE_N;
	size_t base;

	if (class_ix < FINE_N)
		return (size_t)FINE_STEP * (class_ix + 1);
	base = (size_t)1 << (FINE_LOG + coarse / 4);
	return base + (coarse % 4 + 1) * (base / 4);
}
