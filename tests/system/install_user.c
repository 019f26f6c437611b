/* SPDX-License-Identifier: MIT */
/*
 * What a user of the installed library writes, as C11 and as C++17: built by
 * "./dev check" with pkg-config alone. $SLABD_SOCKET there names a socket that
 * is not there, so opening has to fail, cleanly and with a reason.
 */
#include <slabclient.h>

#include <errno.h>
#include <stdio.h>

struct order {
	uint64_t id;
	char text[88];
};

static int trade(slabd_pool *pool)
{
	slabd_cache *orders =
	        slabd_cache_create(pool, "orders", sizeof(struct order), 0, 0);
	struct order *order;
	if (orders == NULL)
		return 1;
	order = (struct order *)slabd_alloc(orders);
	if (order == NULL)
		return 1;
	order->id = slabd_handle_of(pool, order);
	slabd_free(orders, order);
	return slabd_cache_close(orders);
}

int main(void)
{
	slabd_pool *pool = slabd_open(NULL, NULL);
	int error = errno;
	if (pool != NULL) {
		(void)trade(pool);
		(void)slabd_close(pool);
		return 1;
	}
	printf("libslabclient %s: %s\n", slabd_version(), slabd_last_error());
	return error == ENOENT && slabd_last_error()[0] != '\0' ? 0 : 1;
}
