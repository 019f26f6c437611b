/* SPDX-License-Identifier: MIT */
#include "daemon/serve/pressed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/balance/balance.h"
#include "daemon/base/log.h"
#include "daemon/serve/duty.h"
#include "daemon/serve/levels.h"
#include "daemon/watch/psi.h"

struct pressed {
	struct psi *psi; /* NULL: no pool wants it */
	unsigned stall_ms; /* it was opened with */
};

static const char *const names[] = {
	[PLAN_CALM] = "calm", [PLAN_SOME] = "some", [PLAN_FULL] = "full",
};

static void on_pressure(void *arg, enum plan_pressure level)
{
	struct server *server = arg;
	log_info("memory pressure: %s", names[level]);
	levels_set_kernel(server, level);
	duty_settle_levels(server);
}

/* The triggers go off for the pool that wants to know earliest. */
static unsigned least_stall(const struct server *server)
{
	unsigned least = 0;
	for (unsigned i = 0; i < server->n_pools; i++) {
		unsigned ms = balance_config(&server->pools[i])->pressure_ms;
		if (ms > 0 && (least == 0 || ms < least))
			least = ms;
	}
	return least;
}

static int watch(struct server *server)
{
	struct pressed *pressed = server->pressed;
	struct psi_places places;
	struct psi_request want = {.base = server->base,
	                           .places = &places,
	                           .stall_ms = least_stall(server),
	                           .changed = on_pressure,
	                           .arg = server};
	if (want.stall_ms == pressed->stall_ms)
		return 0;
	psi_close(pressed->psi);
	pressed->psi = NULL;
	pressed->stall_ms = want.stall_ms;
	levels_set_kernel(server, PLAN_CALM);
	if (want.stall_ms == 0)
		return 0;
	psi_find(&places);
	return psi_open(&pressed->psi, &want);
}

int pressed_open(struct server *server)
{
	server->pressed = calloc(1, sizeof(*server->pressed));
	return server->pressed == NULL ? -ENOMEM : watch(server);
}

void pressed_close(struct server *server)
{
	if (server->pressed != NULL)
		psi_close(server->pressed->psi);
	free(server->pressed);
	server->pressed = NULL;
}

void pressed_configure(struct server *server)
{
	int r;
	if (server->pressed == NULL)
		return;
	r = watch(server);
	if (r < 0)
		log_error("memory pressure is not watched any longer: %s; "
		          "restart slabd once there is more",
		          strerrordesc_np(-r));
	duty_settle_levels(server);
}

const struct remedy *pressed_lack(const struct server *server)
{
	const struct pressed *pressed = server->pressed;
	if (pressed == NULL || pressed->psi == NULL)
		return NULL;
	return psi_lack(pressed->psi);
}
