/* SPDX-License-Identifier: MIT */
/*
 * The service manager: readiness, status, watchdog, sockets it opened for us.
 *
 * Where there is none, or after notify_setup(false), every call does nothing
 * in silence. One thread calls these. Texts are made printable and cut at 256
 * bytes, so that none can add a field to a notification.
 */
#ifndef DAEMON_MANAGER_NOTIFY_H
#define DAEMON_MANAGER_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the names of descriptors start that slabd has the manager keep (the
 * fdstore's); all others that it passes are sockets. */
#define NOTIFY_KEPT "slabd."

/* false: --foreground, ignore a manager that the environment names. Without a
 * call: true. */
void notify_setup(bool manager);

/* A notification of fields that we wrote, with at most one descriptor, of which
 * the manager gets a copy. It never waits for the manager (manager/tells.h). 1 the
 * manager has it or gets it in its turn, 0 there is no manager, -errno. */
int notify_tell(const char *fields, const int *fds, unsigned n_fds);

/* Sockets are bound and memory is ready; the text says what was carved. 0, or
 * -errno: the manager, where there is one, does not know it yet. */
#define notify_ready(...) notify_say("READY=1\n", __VA_ARGS__)

/* The configuration is being read again, until notify_ready: with the time, as a
 * unit of Type=notify-reload wants it. */
int notify_reloading(void);

/* One line for "systemctl status"; also asks for 30 s more of start-up time,
 * so that a long fault-in with progress is not taken for a hang. */
#define notify_progress(...)                                                   \
	notify_say("EXTEND_TIMEOUT_USEC=30000000\n", __VA_ARGS__)

/* A notification of fields that we wrote, closed by a status text. A failure
 * is no reason to stop serving clients. */
int notify_say(const char *fields, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* On SIGTERM, before giving memory back. */
#define notify_stopping()                                                      \
	notify_tell("STOPPING=1\nSTATUS=giving memory back", NULL, 0)

/* The time between two calls of notify_alive that the manager's watchdog needs
 * (half its limit); 0: no watchdog, set up no timer. */
int64_t notify_watchdog_ns(void);

/* The event loop turns. */
#define notify_alive() notify_tell("WATCHDOG=1", NULL, 0)

/* Waits until the manager has read all that was sent. 0 or more, or -errno:
 * -ETIMEDOUT it has not in time. */
int notify_barrier(int64_t limit_ns);

/*
 * The next descriptor that the manager passed, of those that it kept or of the
 * others, in the order in which it named them. From then on the descriptor,
 * which is close-on-exec, and the name belong to the caller. -ENOENT: no more;
 * -EINVAL: what was passed can't be read, with the reason logged.
 */
int notify_passed(bool kept, char **name);

/* Bound, listening, non-blocking, close-on-exec; -1: bind it yourself. */
struct notify_sockets {
	int client;  /* FileDescriptorName=slabd, ListenSequentialPacket= */
	int control; /* FileDescriptorName=control, ListenStream= */
};

/*
 * Takes over the sockets of a slabd.socket unit; the caller then owns them, and
 * must not unlink their paths. Once per process. 0 with both -1 where the
 * manager passed none; -EINVAL (said in the log, all closed) for a descriptor
 * of another name or type. One without a name is the clients' if its type says
 * so. Those that the manager kept are left alone.
 */
int notify_listen_fds(struct notify_sockets *sockets);

#endif
