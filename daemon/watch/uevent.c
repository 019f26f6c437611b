/* SPDX-License-Identifier: MIT */
#include "daemon/watch/uevent.h"

#include <errno.h>
#include <libudev.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/watch/wake.h"

#define BURST_NS (100 * CLOCK_MS) /* one message comes a memory block */
#define READS_MAX 64u             /* at one time */

struct uevent {
	void (*changed)(void *arg, unsigned what);
	void *arg;
	struct udev *udev;
	struct udev_monitor *monitor;
	struct event *readable;
	struct event *burst;
	unsigned what; /* since the burst began */
};

static const struct {
	const char *name;
	unsigned what;
} subsystems[] = {
	{"cpu", UEVENT_CPUS},
	{"memory", UEVENT_MEMORY},
	{"node", UEVENT_MEMORY},
};
#define SUBSYSTEMS (sizeof(subsystems) / sizeof(*subsystems))

static bool is_news(const char *action)
{
	static const char *const actions[] = {"add", "remove", "online",
	                                      "offline", "change"};
	for (unsigned i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (action != NULL && strcmp(action, actions[i]) == 0)
			return true;
	return false;
}

static unsigned what_of(struct udev_device *device)
{
	const char *subsystem = udev_device_get_subsystem(device);
	if (subsystem == NULL || !is_news(udev_device_get_action(device)))
		return UEVENT_NOTHING;
	for (unsigned i = 0; i < SUBSYSTEMS; i++)
		if (strcmp(subsystem, subsystems[i].name) == 0)
			return subsystems[i].what;
	return UEVENT_NOTHING;
}

/* One message into *what. False: there is none, or it is not the kernel's. One
 * that was lost may have been anything. */
static bool read_one(struct udev_monitor *monitor, unsigned *what)
{
	struct udev_device *device = udev_monitor_receive_device(monitor);
	if (device == NULL && errno == ENOBUFS) {
		*what |= UEVENT_CPUS | UEVENT_MEMORY;
		return true;
	}
	if (device == NULL)
		return false;
	*what |= what_of(device);
	udev_device_unref(device);
	return true;
}

static void on_message(UNUSED evutil_socket_t fd, UNUSED short event, void *arg)
{
	struct uevent *u = arg;
	for (unsigned i = 0; i < READS_MAX; i++)
		if (!read_one(u->monitor, &u->what))
			break;
	if (u->what != UEVENT_NOTHING)
		wake_start(u->burst, BURST_NS);
}

static void on_burst(UNUSED evutil_socket_t fd, UNUSED short event, void *arg)
{
	struct uevent *u = arg;
	unsigned what = u->what;
	u->what = UEVENT_NOTHING;
	u->changed(u->arg, what);
}

static int listen_to_kernel(struct uevent *u)
{
	int r = 0;
	errno = 0;
	u->udev = udev_new();
	if (u->udev != NULL)
		u->monitor = udev_monitor_new_from_netlink(u->udev, "kernel");
	/* Not all versions of libudev set errno for each failure. */
	if (u->monitor == NULL)
		return errno > 0 ? -errno : -ENOMEM;
	for (unsigned i = 0; r >= 0 && i < SUBSYSTEMS; i++)
		r = udev_monitor_filter_add_match_subsystem_devtype(
			u->monitor, subsystems[i].name, NULL);
	return r < 0 ? r : udev_monitor_enable_receiving(u->monitor);
}

int uevent_open(struct uevent **out, struct event_base *base,
                void (*changed)(void *arg, unsigned what), void *arg)
{
	struct uevent *u = calloc(1, sizeof(*u));
	int r;
	*out = NULL;
	if (u == NULL)
		return -ENOMEM;
	u->changed = changed;
	u->arg = arg;
	r = listen_to_kernel(u);
	if (r >= 0)
		r = wake_timer(&u->burst, base, on_burst, u);
	if (r == 0)
		r = wake_on_fd(&u->readable, base,
		               udev_monitor_get_fd(u->monitor), on_message, u);
	if (r < 0) {
		uevent_close(u);
		return r;
	}
	*out = u;
	return 0;
}

void uevent_close(struct uevent *u)
{
	if (u == NULL)
		return;
	wake_free(&u->readable);
	wake_free(&u->burst);
	udev_monitor_unref(u->monitor);
	udev_unref(u->udev);
	free(u);
}
