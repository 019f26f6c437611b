/* SPDX-License-Identifier: MIT */
#include "daemon/watch/uevent.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <libudev.h>
#include <linux/netlink.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- what libudev says -------------------------------------------------- */

/* A message; error: instead of one, at which reading goes wrong. */
struct message {
	const char *action;
	const char *subsystem;
	int error;
};

static const struct message *script; /* NULL: the kernel's own */
static unsigned n_script;
static unsigned n_freed;
static int script_fd; /* readable */

int __real_udev_monitor_get_fd(struct udev_monitor *monitor);
int __wrap_udev_monitor_get_fd(struct udev_monitor *monitor);
struct udev_device *__real_udev_monitor_receive_device(
	struct udev_monitor *monitor);
struct udev_device *__wrap_udev_monitor_receive_device(
	struct udev_monitor *monitor);
const char *__real_udev_device_get_action(struct udev_device *device);
const char *__wrap_udev_device_get_action(struct udev_device *device);
const char *__real_udev_device_get_subsystem(struct udev_device *device);
const char *__wrap_udev_device_get_subsystem(struct udev_device *device);
struct udev_device *__real_udev_device_unref(struct udev_device *device);
struct udev_device *__wrap_udev_device_unref(struct udev_device *device);

int __wrap_udev_monitor_get_fd(struct udev_monitor *monitor)
{
	return script != NULL ? script_fd : __real_udev_monitor_get_fd(monitor);
}

struct udev_device *__wrap_udev_monitor_receive_device(
	struct udev_monitor *monitor)
{
	char byte;
	if (script == NULL)
		return __real_udev_monitor_receive_device(monitor);
	if (n_script == 0) {
		cr_assert_geq(read(script_fd, &byte, 1), 0);
		errno = EAGAIN;
		return NULL;
	}
	n_script--;
	errno = script->error;
	return script->error != 0 ? script++, NULL : (void *)script++;
}

const char *__wrap_udev_device_get_action(struct udev_device *device)
{
	return script != NULL ? ((const struct message *)device)->action
	                      : __real_udev_device_get_action(device);
}

const char *__wrap_udev_device_get_subsystem(struct udev_device *device)
{
	return script != NULL ? ((const struct message *)device)->subsystem
	                      : __real_udev_device_get_subsystem(device);
}

struct udev_device *__wrap_udev_device_unref(struct udev_device *device)
{
	n_freed++;
	return script != NULL ? NULL : __real_udev_device_unref(device);
}

/* ---- the loop ----------------------------------------------------------- */

static struct event_base *base;
static struct uevent *uevent;
static unsigned told;
static unsigned n_told;

static void on_change(void *arg, unsigned what)
{
	(void)arg;
	told = what;
	n_told++;
}

static int begin(void)
{
	base = event_base_new();
	return uevent_open(&uevent, base, on_change, NULL);
}

static void end(void)
{
	uevent_close(uevent);
	event_base_free(base);
}

/* What is told of n messages. All that is waited for is done then: the loop
 * ends where only the descriptor is left, which is empty. */
static unsigned told_of(const struct message *messages, unsigned n)
{
	int fds[2];
	cr_assert_eq(pipe(fds), 0);
	script = messages;
	n_script = n;
	script_fd = fds[0];
	told = n_told = n_freed = 0;
	if (begin() < 0)
		cr_skip_test("the kernel can't be listened to here");
	cr_assert_eq(write(fds[1], "", 1), 1);
	event_base_loop(base, EVLOOP_ONCE);
	if (event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED) > 1)
		event_base_loop(base, EVLOOP_ONCE);
	end();
	close(fds[0]);
	close(fds[1]);
	cr_expect_eq(n_script, 0);
	return told;
}

#define TOLD_OF(...)                                                          \
	told_of((const struct message[]){__VA_ARGS__},                        \
	        sizeof((const struct message[]){__VA_ARGS__}) /               \
	                sizeof(struct message))

TestSuite(uevent, .timeout = 300);

Test(uevent, messages_of_the_kernel)
{
	cr_expect_eq(TOLD_OF({"online", "cpu", 0}), UEVENT_CPUS);
	cr_expect_eq(TOLD_OF({"offline", "memory", 0}), UEVENT_MEMORY);
	cr_expect_eq(TOLD_OF({"add", "node", 0}), UEVENT_MEMORY);
	cr_expect_eq(TOLD_OF({"remove", "cpu", 0}), UEVENT_CPUS);
	cr_expect_eq(TOLD_OF({"change", "cpu", 0}), UEVENT_CPUS);
}

Test(uevent, others_are_nothing)
{
	cr_expect_eq(TOLD_OF({"add", "net", 0}, {"bind", "cpu", 0},
	                     {NULL, "cpu", 0}, {"add", NULL, 0},
	                     {"", "", 0}),
	             UEVENT_NOTHING);
	cr_expect_eq(n_told, 0);
	cr_expect_eq(n_freed, 5);
}

Test(uevent, a_burst_is_told_of_once)
{
	cr_expect_eq(TOLD_OF({"offline", "memory", 0}, {"offline", "memory", 0},
	                     {"remove", "node", 0}, {"offline", "cpu", 0}),
	             UEVENT_CPUS | UEVENT_MEMORY);
	cr_expect_eq(n_told, 1);
	cr_expect_eq(n_freed, 4);
}

Test(uevent, what_was_lost_may_have_been_anything)
{
	cr_expect_eq(TOLD_OF({.error = ENOBUFS}),
	             UEVENT_CPUS | UEVENT_MEMORY);
}

/* ---- the kernel --------------------------------------------------------- */

/* What others send to the group is no message of the kernel's; the kernel's own
 * that comes after it is one. */
Test(uevent, only_the_kernel_is_heard)
{
	static const char text[] = "online@/devices/system/node/node0\0"
	                           "ACTION=online\0SUBSYSTEM=node\0"
	                           "DEVPATH=/devices/system/node/node0\0"
	                           "SEQNUM=1";
	struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
	                NETLINK_KOBJECT_UEVENT);
	int file = open("/sys/devices/system/cpu/cpu0/uevent",
	                O_WRONLY | O_CLOEXEC);
	if (fd < 0 || file < 0 || begin() < 0)
		cr_skip_test("the rights to both are root's");
	if (sendto(fd, text, sizeof(text), 0, (void *)&to, sizeof(to)) < 0 ||
	    write(file, "change", 6) < 0)
		cr_skip_test("the rights to both are root's");
	while (n_told == 0)
		cr_assert_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	cr_expect_eq(told, UEVENT_CPUS);
	end();
	close(file);
	close(fd);
}

Test(uevent, without_a_descriptor_it_is_an_error_and_no_end)
{
	struct rlimit all;
	struct rlimit none;
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &all), 0);
	none = all;
	none.rlim_cur = 0;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	cr_expect_eq(uevent_open(&uevent, base, on_change, NULL), -EMFILE);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &all), 0);
	cr_expect_null(uevent);
}
