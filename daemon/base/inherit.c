/* SPDX-License-Identifier: MIT */
#include "daemon/base/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#define PR_GET_IO_FLUSHER 58
#endif

#define STACK_BYTES ((rlim_t)8 << 20)        /* of main, where it may grow */
#define THREAD_STACK_BYTES ((size_t)2 << 20) /* however large main's is */
#define SLACK_NS (50 * CLOCK_US)             /* the kernel's default */
#define MASK_NODES 4096u /* the kernel wants room for all its node ids */
#define MASK_BITS (8 * sizeof(unsigned long))

static struct {
	bool no_thp;
	bool policy;
	unsigned long persona; /* flags that were dropped */
	unsigned long nodes[MASK_NODES / MASK_BITS];
} was;

/* ---- standard streams --------------------------------------------------- */

/* In place of a standard stream that is closed slabd would open some file of
 * its own, a pool's even, and write its log into it. Without /dev there is always
 * a folder, which can't be written to. */
static int fill_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0 &&
		    open("/", O_PATH | O_DIRECTORY) < 0)
			return -errno;
	return 0;
}

/* ---- signals ------------------------------------------------------------ */

/* What is ignored is not from now on. Asks the kernel, as libc hides the signals
 * of its own. */
static void heed(int signal)
{
	/* The handler comes first in the kernel's structure, and 0 is SIG_DFL. */
	uintptr_t now[8] = {0};
	static const uintptr_t none[8];
	if (syscall(SYS_rt_sigaction, signal, NULL, now, (size_t)_NSIG / 8) ==
	            0 &&
	    now[0] == (uintptr_t)SIG_IGN)
		syscall(SYS_rt_sigaction, signal, none, NULL,
		        (size_t)_NSIG / 8);
}

/* All as by default, but for those that would end slabd, or stop it, for what
 * is an error like others: a pipe that nobody reads, RLIMIT_FSIZE, a log on
 * a terminal whose job is in the background. What slabd handles waits from the
 * first moment on, until the loop lets it in. */
static void reset_signals(void)
{
	static const struct itimerval none;
	static const int held[] = {SIGTERM, SIGINT, SIGHUP};
	static const int ignored[] = {SIGPIPE, SIGXFSZ, SIGTTOU};
	sigset_t set;
	sigemptyset(&set);
	for (unsigned i = 0; i < sizeof(held) / sizeof(held[0]); i++)
		sigaddset(&set, held[i]);
	sigprocmask(SIG_SETMASK, &set, NULL);
	for (int i = 1; i < NSIG; i++)
		heed(i);
	for (unsigned i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	setitimer(ITIMER_REAL, &none, NULL);
	setitimer(ITIMER_VIRTUAL, &none, NULL);
	setitimer(ITIMER_PROF, &none, NULL);
}

void inherit_no_children(void)
{
	signal(SIGCHLD, SIG_IGN);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
}

/* ---- limits ------------------------------------------------------------- */

static const struct {
	int resource;
	rlim_t least; /* that slabd does with; RLIM_INFINITY: any limit harms */
	const char *name, *remedy;
} limits[] = {
	{RLIMIT_NOFILE, 1024, "open files (RLIMIT_NOFILE)",
         "raise it (ulimit -n, LimitNOFILE=): a client takes three"},
	{RLIMIT_FSIZE, RLIM_INFINITY, "bytes of a file (RLIMIT_FSIZE)",
         "lift it (ulimit -f unlimited, LimitFSIZE=infinity): a pool has one "
         "file a node"},
	{RLIMIT_AS, RLIM_INFINITY, "bytes of address space (RLIMIT_AS)",
         "lift it (ulimit -v unlimited, LimitAS=infinity)"},
	{RLIMIT_DATA, RLIM_INFINITY, "bytes of its own memory (RLIMIT_DATA)",
         "lift it (ulimit -d unlimited, LimitDATA=infinity)"},
	{RLIMIT_CPU, RLIM_INFINITY,
         "seconds of processor time (RLIMIT_CPU), then it is killed",
         "lift it (ulimit -t unlimited, LimitCPU=infinity)"},
	{RLIMIT_STACK, (rlim_t)1 << 20, "bytes of stack (RLIMIT_STACK)",
         "raise it to 8 MiB (ulimit -s 8192, LimitSTACK=8M)"},
};
#define LIMITS (sizeof(limits) / sizeof(limits[0]))

/* As far as slabd may. A stack of no end is laid out otherwise, and main needs
 * none. */
static void raise_limits(void)
{
	pthread_attr_t attr;
	for (unsigned i = 0; i < LIMITS; i++) {
		struct rlimit limit;
		if (getrlimit((__rlimit_resource_t)limits[i].resource, &limit) <
		            0 ||
		    limit.rlim_cur == limit.rlim_max)
			continue;
		if (limits[i].resource == RLIMIT_STACK &&
		    (limit.rlim_cur >= STACK_BYTES))
			continue;
		limit.rlim_cur = limit.rlim_max;
		if (limits[i].resource == RLIMIT_STACK &&
		    limit.rlim_max > STACK_BYTES)
			limit.rlim_cur = STACK_BYTES;
		setrlimit((__rlimit_resource_t)limits[i].resource, &limit);
	}
	/* Threads' are as large as main's was allowed to be, else. */
	if (pthread_attr_init(&attr) != 0)
		return;
	if (pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES) == 0)
		pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
}

static void say_limits(void)
{
	for (unsigned i = 0; i < LIMITS; i++) {
		struct rlimit limit;
		if (getrlimit((__rlimit_resource_t)limits[i].resource, &limit) <
		            0 ||
		    limit.rlim_cur == RLIM_INFINITY ||
		    limit.rlim_cur >= limits[i].least)
			continue;
		log_warn("slabd may have no more than %llu %s: %s",
		         (unsigned long long)limit.rlim_cur, limits[i].name,
		         limits[i].remedy);
	}
}

/* ---- flags of the process ----------------------------------------------- */

/* Those that change what the kernel answers to slabd or maps for it; that
 * addresses are the same each time harms nobody. */
static void reset_persona(void)
{
	int persona = personality(0xffffffff);
	if (persona < 0 || (persona & ~ADDR_NO_RANDOMIZE) == 0)
		return;
	if (personality((unsigned long)persona & ADDR_NO_RANDOMIZE) >= 0)
		was.persona = (unsigned long)persona &
		              ~(unsigned long)ADDR_NO_RANDOMIZE;
}

static void reset_flags(void)
{
	reset_persona();
	was.no_thp = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1 &&
	             prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0) == 0;
	prctl(PR_SET_TIMERSLACK, (unsigned long)SLACK_NS, 0, 0, 0);
	if (prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 1)
		prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0);
	umask(022);
}

/* ---- memory policy ------------------------------------------------------ */

/* What is not bound to a node by slabd lies by it: its own tables, and a pool's
 * common ones. */
static void reset_policy(void)
{
	int mode = MPOL_DEFAULT;
	if (syscall(SYS_get_mempolicy, &mode, was.nodes, (long)MASK_NODES, NULL,
	            0L) == 0 &&
	    mode != MPOL_DEFAULT)
		was.policy =
			syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0L) == 0;
}

static void name_nodes(char *text, size_t size)
{
	size_t n = 0;
	text[0] = '\0';
	for (unsigned i = 0; i < MASK_NODES && n + 8 < size; i++)
		if ((was.nodes[i / MASK_BITS] >> i % MASK_BITS & 1) != 0)
			n += (size_t)snprintf(text + n, size - n, "%s%u",
			                      n > 0 ? "," : "", i);
}

/* ---- what stays --------------------------------------------------------- */

/* A reason to be served late is a client's, too. */
static void say_scheduling(void)
{
	int policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
	int nice;
	errno = 0;
	nice = getpriority(PRIO_PROCESS, 0);
	if (policy == SCHED_IDLE || policy == SCHED_BATCH)
		log_warn("slabd is scheduled as %s: clients that need memory "
		         "wait for it; start it otherwise (chrt --other 0, "
		         "CPUSchedulingPolicy=other)",
		         policy == SCHED_IDLE ? "SCHED_IDLE" : "SCHED_BATCH");
	else if (policy != SCHED_OTHER)
		log_warn("slabd is scheduled in real time, and so are its "
		         "threads that set up and move memory: others may have "
		         "to wait for them; start it otherwise (chrt --other "
		         "0, CPUSchedulingPolicy=other)");
	else if (errno == 0 && nice > 0)
		log_warn("slabd's priority is lowered by %d: clients that need "
		         "memory wait for it; start it without (nice, Nice=0)",
		         nice);
}

/* Its threads go to the processors of their nodes all the same. */
static void say_processors(void)
{
	static cpu_set_t set;
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	int n;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return;
	n = CPU_COUNT(&set);
	if (n == 1 && online > 1)
		log_info("slabd may use 1 processor of %ld (taskset, "
		         "CPUAffinity=, a cpuset): it is not served while "
		         "others have that one",
		         online);
}

/* The number in a file of /proc/self. */
static bool read_number(const char *path, int *number)
{
	char text[32];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	*number = (int)strtol(text, NULL, 10);
	return true;
}

static void say_ends(void)
{
	int signal = 0;
	int score;
	if (read_number("/proc/self/oom_score_adj", &score) && score > 0)
		log_warn("slabd is among the first to be killed when memory is "
		         "short (oom_score_adj %d), and every pool's memory is "
		         "counted as its own: lower it (choom -n -900, "
		         "OOMScoreAdjust=-900)",
		         score);
	if (prctl(PR_GET_PDEATHSIG, &signal, 0, 0, 0) == 0 && signal != 0)
		log_info(
			"slabd is sent signal %d when the process that started "
			"it ends (PR_SET_PDEATHSIG)%s",
			signal,
			signal == SIGKILL ? ": it can't give memory back then"
					  : "");
}

/* What stands before the C library, or changes it. */
static void say_libraries(void)
{
	static const char *const names[] = {"LD_PRELOAD", "LD_AUDIT",
	                                    "GLIBC_TUNABLES"};
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);
		if (value != NULL && value[0] != '\0')
			log_info("%s=%.200s is in slabd's environment and "
			         "changes what it runs on: unset it unless it "
			         "is meant for slabd",
			         names[i], value);
	}
}

/* ---- all ---------------------------------------------------------------- */

int inherit_reset(void)
{
	int r;
	reset_signals();
	r = fill_streams();
	raise_limits();
	reset_flags();
	reset_policy();
	return r;
}

void inherit_say_reset(void)
{
	char nodes[128];
	if (was.persona != 0)
		log_info("personality flags 0x%lx that slabd was started with "
		         "are dropped",
		         was.persona);
	if (was.no_thp)
		log_info("transparent huge pages were switched off for slabd "
		         "by who started it (PR_SET_THP_DISABLE): they are "
		         "switched on again; page = 4k in slabd.conf does "
		         "without them");
	if (!was.policy)
		return;
	name_nodes(nodes, sizeof(nodes));
	log_info("the memory policy that slabd was started with (numactl, "
	         "NUMAPolicy=; nodes %s) is dropped: a pool has all nodes that "
	         "slabd's control group leaves it (AllowedMemoryNodes=)",
	         nodes[0] != '\0' ? nodes : "any");
}

void inherit_say_named(void)
{
	say_limits();
	say_scheduling();
	say_processors();
	say_ends();
	say_libraries();
}
