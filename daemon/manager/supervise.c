/* SPDX-License-Identifier: MIT */
#include "daemon/manager/supervise.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/proc.h"
#include "daemon/manager/backoff.h"
#include "daemon/manager/fdstore.h"
#include "daemon/manager/notify.h"
#include "daemon/manager/supervise_adopt.h"
#include "daemon/manager/supervise_end.h"
#include "daemon/manager/supervise_fds.h"
#include "daemon/manager/supervise_msg.h"
#include "daemon/manager/supervise_place.h"
#include "daemon/manager/tells.h"

#define USAGE 2          /* status of a slabd that would fail again */
#define AGAIN_NS CLOCK_S /* of life, and SUPERVISE_AGAIN is no crash */
#define OWN_FDS 64       /* that the store must leave, at the least */
#define LAST_MAX 3       /* slabds that are to give back, one after another */
#define HEAR_MAX 4096    /* messages at one go: more than a queue has */
#define LOOK_NS (60 * CLOCK_S) /* longest wait at one time */
#define TELLS_NS (50 * CLOCK_MS) /* until the manager above is told more */
#define LATE_NS CLOCK_S          /* and this process stood still itself */
#define ABORT_NS (10 * CLOCK_S)  /* to write its core in */
#define NEVER INT64_MAX

static struct supervisor {
	char **argv;
	char path[PATH_MAX];  /* of the program */
	struct supervise_place place; /* NOTIFY_SOCKET is there */
	int notify;
	int signals;
	pid_t pid;            /* of slabd; 0: none runs */
	int64_t began_ns;     /* when it was started */
	int64_t due_ns;       /* when it is started again, or NEVER */
	int64_t beat_ns;      /* when the manager's watchdog hears next */
	int64_t beats_ns;     /* how often, if beat_ns is not NEVER */
	int64_t limit_ns;     /* of silence; 0: none */
	int64_t silent_ns;    /* when slabd has been silent for too long */
	bool aborted;         /* for that, it got SIGABRT */
	struct backoff backoff;
	int adopted;          /* of a slabd that is another one's child; or -1 */
	bool said_end;        /* it ends as it should */
	bool heard; /* of this slabd: it holds its signals by then */
	int held;   /* the signal to stop that waits for that; 0: none */
	bool stopping;
	unsigned n_restarts; /* of slabd, since this began */
	unsigned n_last; /* started since, to give back what is kept */
	bool ended;
	int status;           /* then, to exit with */
	struct supervise_msg msg;
	unsigned n_given; /* that a manager opened for slabd */
	struct supervise_fds store;
} super;

/* ---- slabd -------------------------------------------------------------- */

static void set_number(const char *name, long number)
{
	char digits[24];
	snprintf(digits, sizeof(digits), "%ld", number);
	setenv(name, digits, 1);
}

/* In the new process. */
static void set_environment(struct supervisor *s)
{
	/* The supervisor is what the manager's watchdog looks at. */
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	if (s->limit_ns > 0) {
		set_number("WATCHDOG_PID", getpid());
		set_number("WATCHDOG_USEC", s->limit_ns / CLOCK_US);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	putenv(s->store.list);
	/* Sockets that a manager passed take room, and are not slabd's to
	 * count. */
	set_number(FDSTORE_MAX, s->store.max - s->n_given);
	if (s->store.n > 0) {
		set_number("LISTEN_PID", getpid());
		set_number("LISTEN_FDS", s->store.n);
	}
	setenv("NOTIFY_SOCKET", s->place.path, 1);
	set_number(SUPERVISE_PID, getppid());
	unsetenv(SUPERVISE_ADOPT);
}

static _Noreturn void become_slabd(struct supervisor *s)
{
	sigset_t wait;
	int r;
	sigemptyset(&wait);
	/* One that takes over to give back has its order from the start on. */
	if (s->stopping) {
		sigaddset(&wait, SIGTERM);
		raise(SIGTERM);
	}
	/* The configuration is read at start: this one has nothing to do until
	 * slabd blocks it, which comes before. */
	signal(SIGHUP, SIG_IGN);
	sigprocmask(SIG_SETMASK, &wait, NULL);
	set_environment(s);
	r = supervise_fds_place(&s->store);
	if (r == 0) {
		execv(s->path, s->argv);
		r = -errno;
	}
	log_error("can't start %s: %s", s->path, strerror(-r));
	_exit(127);
}

static void start_slabd(struct supervisor *s)
{
	s->due_ns = NEVER;
	s->silent_ns = NEVER;
	s->aborted = false;
	s->said_end = false;
	s->heard = s->stopping;
	s->held = 0;
	s->began_ns = clock_ns();
	s->pid = fork();
	if (s->pid == 0)
		become_slabd(s);
	if (s->pid > 0)
		return;
	s->pid = 0;
	log_error("can't start slabd: fork: %s", strerror(errno));
	s->due_ns = s->began_ns + backoff_after(&s->backoff, 0) + BACKOFF_MIN_NS;
}

/* Says what became of slabd, and when there is another one. */
static void plan_start(struct supervisor *s, pid_t pid, int status)
{
	int64_t now = clock_ns();
	int64_t lived = now - s->began_ns;
	bool again = WIFEXITED(status) &&
	             WEXITSTATUS(status) == SUPERVISE_AGAIN &&
	             lived >= AGAIN_NS;
	int64_t delay = again ? 0 : backoff_after(&s->backoff, lived);
	char when[64] = "";
	if (delay > 0)
		snprintf(when, sizeof(when), " in %" PRId64 " ms",
		         delay / CLOCK_MS);
	log_at(again ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
	       "slabd (pid %d) %s after %" PRId64 ".%" PRId64 " s: started "
	       "again%s with %u descriptor%s kept, restart %u", pid,
	       supervise_describe(status), lived / CLOCK_S,
	       lived % CLOCK_S / (100 * CLOCK_MS), when, s->store.n,
	       s->store.n == 1 ? "" : "s", ++s->n_restarts);
	s->due_ns = now + delay;
}

/* What is kept has hugepages and sockets' files: one more slabd takes it over,
 * and gives it back as it is told to stop. */
static bool start_last(struct supervisor *s)
{
	if (!s->stopping || s->store.n <= s->n_given || s->n_last >= LAST_MAX)
		return false;
	s->n_last++;
	start_slabd(s);
	return s->pid > 0;
}

static void on_end(struct supervisor *s, int status)
{
	pid_t pid = s->pid;
	s->pid = 0;
	s->silent_ns = NEVER;
	if ((!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) &&
	    start_last(s)) {
		log_warn("slabd (pid %d) %s as it should stop: another one "
		         "gives back what is kept", pid, supervise_describe(status));
		return;
	}
	if (!s->stopping &&
	    !(WIFEXITED(status) && (WEXITSTATUS(status) == EXIT_SUCCESS ||
	                            WEXITSTATUS(status) == USAGE))) {
		plan_start(s, pid, status);
		return;
	}
	s->ended = true;
	s->status = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
	if (s->status != EXIT_SUCCESS)
		log_error("slabd (pid %d) %s: not started again", pid,
		          supervise_describe(status));
}

/* ---- what slabd says ---------------------------------------------------- */

static void keep(struct supervisor *s, struct supervise_msg *msg)
{
	int r = 0;
	for (unsigned i = 0; i < msg->n_fds; i++) {
		int one = supervise_fds_add(&s->store, msg->name, msg->fds[i]);
		r = one < 0 ? one : r;
	}
	msg->n_fds = 0;
	if (r == -ENOSPC)
		log_warn("a descriptor named %s is not kept: there are %u, and "
		         "more can't be passed on", msg->name, s->store.n);
	else if (r < 0)
		log_warn("a descriptor named %s is not kept: a name has 1 to "
		         "%u printable characters but \":\"", msg->name,
		         SUPERVISE_FDS_NAME_BYTES);
}

static bool serves(const struct supervisor *s, const struct supervise_msg *msg)
{
	return msg->ready || (msg->alive && s->silent_ns != NEVER);
}

static void hear_one(struct supervisor *s, struct supervise_msg *msg)
{
	s->heard = true;
	if (s->held != 0)
		kill(s->pid, s->held);
	s->held = 0;
	/* From its first word as one that serves until it ends. */
	s->said_end |= msg->ending;
	if (s->said_end)
		s->silent_ns = NEVER;
	else if (s->limit_ns > 0 && !s->aborted && serves(s, msg))
		s->silent_ns = clock_ns() + s->limit_ns;
	if (msg->store)
		keep(s, msg);
	else if (msg->remove)
		supervise_fds_remove(&s->store, msg->name);
	if (msg->fields[0] != '\0')
		notify_tell(msg->fields, NULL, 0);
}

/* Reads what there is. A barrier is passed as its descriptor is closed. */
static void hear(struct supervisor *s)
{
	for (unsigned i = 0; i < HEAR_MAX; i++) {
		int r = supervise_msg_receive(s->notify, s->pid, &s->msg);
		if (r < 0)
			return;
		if (r == 0)
			hear_one(s, &s->msg);
		else if (r == SUPERVISE_MSG_E_STRANGER)
			log_warn("a notification of pid %d is ignored: it is "
			         "not the slabd that was started here",
			         s->msg.sender);
		else
			log_warn("a notification is ignored: it was cut, or is "
			         "no text");
		supervise_msg_close(&s->msg);
	}
}

/* ---- signals ------------------------------------------------------------ */

/* What slabd said before its end is heard first: it is queued by now. Others'
 * children come to the first process of a container, and to one that was started
 * in the place of their parent. */
static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;
	hear(s);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == s->pid)
			on_end(s, status);
}

/* Nobody tells its status but what it said before. */
static void reap_adopted(struct supervisor *s)
{
	hear(s);
	close(s->adopted);
	s->adopted = -1;
	on_end(s, s->said_end ? 0 : SIGKILL);
}

static void forward(struct supervisor *s, const struct signalfd_siginfo *info)
{
	int signal = (int)info->ssi_signo;
	/* A terminal has sent it to slabd as well. */
	bool sent = info->ssi_code == SI_KERNEL && s->pid != 0;
	if (signal == SIGTERM || signal == SIGINT)
		s->stopping = true;
	if (s->pid == 0 && start_last(s))
		sent = true;
	if (s->pid == 0 && s->stopping) {
		s->ended = true;
		s->status = EXIT_SUCCESS;
	}
	if (s->pid == 0 || sent)
		return;
	/* In its first moments it would die of it, and what is kept stay. */
	if (!s->heard && s->held == 0 && s->stopping)
		s->held = signal;
	else
		kill(s->pid, signal);
}

static void read_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;
	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(s);
		else
			forward(s, &info);
	}
}

/* ---- a slabd that hangs --------------------------------------------------- */

/* Stopped by a signal is hung, as it is for systemd; who debugs it has it stopped
 * and wants to have it so. */
static bool is_spared(struct supervisor *s)
{
	if (!proc_is_traced(s->pid))
		return false;
	log_warn("slabd (pid %d) is silent, and somebody debugs it: it is left "
	         "alone", s->pid);
	return true;
}

/* It is silent for too long: unless this process stood still itself. */
static void on_silence(struct supervisor *s)
{
	int64_t now = clock_ns();
	if (!s->aborted && (now - s->silent_ns > LATE_NS || is_spared(s))) {
		s->silent_ns = now + s->limit_ns;
		return;
	}
	log_error("slabd (pid %d) hangs: its loop has not turned for %" PRId64
	          " ms; %s", s->pid,
	          (s->limit_ns + (s->aborted ? ABORT_NS : 0)) / CLOCK_MS,
	          s->aborted ? "SIGKILL" : "SIGABRT");
	kill(s->pid, s->aborted ? SIGKILL : SIGABRT);
	/* One that is stopped would not hear of it. */
	kill(s->pid, SIGCONT);
	s->silent_ns = s->aborted ? NEVER : now + ABORT_NS;
	s->aborted = true;
}

/* ---- the loop ----------------------------------------------------------- */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Milliseconds until something is due; -1: nothing is. */
static int wait_ms(const struct supervisor *s)
{
	int64_t now = clock_ns();
	int64_t at = least(least(s->due_ns, s->beat_ns), s->silent_ns);
	int64_t log_ns = log_flush();
	if (log_ns >= 0)
		at = least(at, now + log_ns + CLOCK_MS);
	/* The manager above has room again some time. */
	if (tells_flush() != 0)
		at = least(at, now + TELLS_NS);
	if (at <= now)
		return 0;
	if (at == NEVER)
		return -1;
	/* Rounded up, so that it is due when poll comes back. */
	return (int)((least(at - now, LOOK_NS) + CLOCK_MS - 1) / CLOCK_MS);
}

static void turn(struct supervisor *s)
{
	struct pollfd at[3] = {
	        {.fd = s->signals, .events = POLLIN},
	        {.fd = s->notify, .events = POLLIN},
	        {.fd = s->adopted, .events = POLLIN},
	};
	if (poll(at, 3, wait_ms(s)) > 0) {
		if (at[0].revents != 0)
			read_signals(s);
		if (at[1].revents != 0)
			hear(s);
		if (at[2].revents != 0)
			reap_adopted(s);
	}
	if (!s->ended && s->due_ns <= clock_ns())
		start_slabd(s);
	if (s->pid > 0 && s->silent_ns <= clock_ns())
		on_silence(s);
	if (s->beat_ns <= clock_ns()) {
		notify_alive();
		s->beat_ns = clock_ns() + s->beats_ns;
	}
}

/* ---- start -------------------------------------------------------------- */

static int open_signals(struct supervisor *s)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
	sigset_t set;
	sigemptyset(&set);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? -errno : 0;
}

/* Room for the descriptors, half of it to sort them in supervise_fds_place.
 * Those that a manager passed to this process are slabd's from the first start
 * on. */
static int open_store(struct supervisor *s)
{
	struct rlimit limit;
	char *name;
	int fd;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	if (limit.rlim_cur < 2 * OWN_FDS)
		return -EMFILE;
	if (limit.rlim_cur > 2 * SUPERVISE_FDS_MAX + OWN_FDS)
		limit.rlim_cur = 2 * SUPERVISE_FDS_MAX + OWN_FDS;
	supervise_fds_init(&s->store, (unsigned)(limit.rlim_cur - OWN_FDS) / 2);
	for (int kept = 0; kept < 2; kept++) {
		while ((fd = notify_passed(kept, &name)) >= 0) {
			supervise_fds_add(&s->store, name, fd);
			s->n_given += !kept;
			free(name);
		}
		if (fd != -ENOENT)
			return fd;
	}
	return 0;
}

/* A slabd that lost its supervisor, or a new one. False: it should have adopted
 * one, which is gone by now. */
static bool find_slabd(struct supervisor *s, const char *control)
{
	s->pid = supervise_adopt(control, s->place.path, s->limit_ns,
	                         &s->adopted);
	if (s->pid > 0) {
		s->due_ns = NEVER;
		s->began_ns = clock_ns();
		s->heard = true;
		/* It was asked with limit_ns, and said yes. */
		if (s->limit_ns > 0)
			s->silent_ns = s->began_ns + s->limit_ns;
		log_info("slabd (pid %d) has no supervisor any more: taken "
		         "over by pid %d", s->pid, getpid());
		return true;
	}
	if (getenv(SUPERVISE_ADOPT) != NULL)
		return false;
	start_slabd(s);
	return true;
}

int supervise_run(char **argv, int64_t limit_ns, const char *control)
{
	struct supervisor *s = &super;
	int r;
	s->argv = argv;
	s->limit_ns = limit_ns;
	s->silent_ns = NEVER;
	s->adopted = -1;
	s->beats_ns = notify_watchdog_ns();
	s->beat_ns = s->beats_ns > 0 ? clock_ns() : NEVER;
	if ((r = supervise_program(s->path)) < 0 || (r = open_signals(s)) < 0 ||
	    (r = open_store(s)) < 0 ||
	    (r = s->notify = supervise_place_open(&s->place)) < 0) {
		log_error("can't supervise: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	s->ended = !find_slabd(s, control);
	/* Children that ended before their signal was looked for. */
	reap(s);
	while (!s->ended)
		turn(s);
	supervise_place_close(&s->place);
	return s->status;
}
