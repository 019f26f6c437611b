/* SPDX-License-Identifier: MIT */
/* A program as it was built when ABI 1 came: all that is inline, and give. */
#include <slabclient.h>
#include <stdio.h>
#include <string.h>

#define N 3000

static void *live[N];

int main(void)
{
	slabd_pool *pool = slabd_open(NULL, NULL);
	slabd_cache *cache;
	int wrong = 0;
	if (pool == NULL) {
		printf("open: %s\n", slabd_last_error());
		return 1;
	}
	cache = slabd_cache_create(pool, "abi", 64, 0, 0);
	for (int round = 0; cache != NULL && round < 3; round++) {
		for (int i = 0; i < N; i++) {
			live[i] = slabd_alloc(cache);
			if (live[i] != NULL)
				memset(live[i], i & 0xff, 64);
		}
		for (int i = 0; i < N; i++) {
			const unsigned char *at = live[i];
			wrong += at == NULL || at[0] != (i & 0xff) ||
			         at[63] != (i & 0xff);
			slabd_free(cache, live[i]);
		}
	}
	printf("%d wrong\n", cache != NULL ? wrong : -1);
	return slabd_close(pool) == 0 ? 0 : 1;
}
