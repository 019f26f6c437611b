/* SPDX-License-Identifier: MIT */
/* TAP from many processes, and the children themselves. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/atom.h"
#include "tests/lib/harness.h"

#define HEAR_MS 120000 /* a hang, on a machine that has other work too */

static struct counts {
	uint32_t done;
	uint32_t bad;
	pid_t main;
} *counts;
static unsigned limit;

static void put_line(const char *head, const char *tail, const char *format,
                     va_list args) __attribute__((format(printf, 3, 0)));

static void put_line(const char *head, const char *tail, const char *format,
                     va_list args)
{
	char text[1024];
	char line[1200];
	int n;
	vsnprintf(text, sizeof(text), format, args);
	n = snprintf(line, sizeof(line), "%s%s%s\n", head, text, tail);
	if (write(STDOUT_FILENO, line, (size_t)n) < 0)
		_exit(99);
}

static void on_alarm(int signal)
{
	static const char text[] = "Bail out! the time limit is over\n";
	(void)signal;
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(98);
	_exit(99);
}

void tap_start(unsigned seconds)
{
	setenv("SLABD_WATCH", "no", 0);
	counts = shared_memory(sizeof(*counts));
	counts->main = getpid();
	limit = seconds;
	signal(SIGALRM, on_alarm);
	signal(SIGPIPE, SIG_IGN);
	alarm(seconds);
}

bool tap_ok(bool good, const char *format, ...)
{
	va_list args;
	atom_add(&counts->done, 1u);
	if (!good)
		atom_add(&counts->bad, 1u);
	va_start(args, format);
	put_line(good ? "ok - " : "not ok - ", "", format, args);
	va_end(args);
	return good;
}

bool tap_is(long long got, long long want, const char *format, ...)
{
	bool good = got == want;
	va_list args;
	atom_add(&counts->done, 1u);
	if (!good)
		atom_add(&counts->bad, 1u);
	va_start(args, format);
	put_line(good ? "ok - " : "not ok - ", "", format, args);
	va_end(args);
	if (!good)
		tap_note("got %lld, expected %lld", got, want);
	return good;
}

void tap_skip(const char *why, const char *format, ...)
{
	char tail[256];
	va_list args;
	atom_add(&counts->done, 1u);
	snprintf(tail, sizeof(tail), " # SKIP %s", why);
	va_start(args, format);
	put_line("ok - ", tail, format, args);
	va_end(args);
}

void tap_note(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	put_line("# ", "", format, args);
	va_end(args);
}

void tap_bail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (getpid() == counts->main) {
		put_line("Bail out! ", "", format, args);
	} else {
		atom_add(&counts->done, 1u);
		atom_add(&counts->bad, 1u);
		put_line("not ok - a child: ", "", format, args);
	}
	va_end(args);
	_exit(99);
}

int tap_end(void)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "1..%u\n",
	                 atom_load(&counts->done));
	if (write(STDOUT_FILENO, line, (size_t)n) < 0)
		return 99;
	return atom_load(&counts->bad) != 0;
}

bool is_sanitized(void)
{
	const char *sanitizer = getenv("SLABD_SANITIZER");
	return sanitizer != NULL && *sanitizer != '\0';
}

uint32_t tap_rounds(uint32_t n)
{
	const char *stress = getenv("SLABD_STRESS");
	if (stress != NULL && *stress != '\0')
		n *= 20;
	if (is_sanitized())
		n = (n + 7) / 8;
	return n;
}

bool wants_all(void)
{
	const char *step = getenv("SLABD_STEP");
	return step != NULL && strcmp(step, "all") == 0;
}

/* ---- time and memory ---------------------------------------------------- */

double now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

void sleep_ms(unsigned ms)
{
	struct timespec ts = {.tv_sec = ms / 1000,
	                      .tv_nsec = (long)(ms % 1000) * 1000000};
	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		continue;
}

void *shared_memory(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		abort();
	return at;
}

/* ---- children ----------------------------------------------------------- */

void child_start(struct child *child, void (*main)(int fd, void *arg),
                 void *arg)
{
	pid_t parent = getpid();
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		tap_bail("socketpair: %s", strerror(errno));
	child->pid = fork();
	if (child->pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (child->pid > 0) {
		close(pair[1]);
		child->fd = pair[0];
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(97);
	alarm(limit);
	close(pair[0]);
	main(pair[1], arg);
	/* Not _exit alone: the leak sanitizer looks at exit. */
	exit(0);
}

void say(int fd, uint64_t word)
{
	if (send(fd, &word, sizeof(word), MSG_NOSIGNAL) != sizeof(word))
		tap_bail("the other process is gone");
}

uint64_t hear(int fd)
{
	struct pollfd at = {.fd = fd, .events = POLLIN};
	uint64_t word = 0;
	int n;
	do
		n = poll(&at, 1, HEAR_MS);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		tap_bail("the other process says nothing for two minutes");
	if (recv(fd, &word, sizeof(word), 0) != sizeof(word))
		tap_bail("the other process ended too early");
	return word;
}

void child_kill(struct child *child)
{
	kill(child->pid, SIGKILL);
	while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	close(child->fd);
	child->pid = 0;
}

void child_end(struct child *child, const char *name)
{
	double until = now_ms() + HEAR_MS;
	int status = -1;
	pid_t got;
	while ((got = waitpid(child->pid, &status, WNOHANG)) == 0 &&
	       now_ms() < until)
		sleep_ms(1);
	if (got == 0)
		kill(child->pid, SIGKILL);
	if (!tap_ok(got == child->pid && status == 0, "%s", name))
		tap_note(got == 0 ? "still running after two minutes"
		                  : "status of its end: 0x%x", status);
	close(child->fd);
	child->pid = 0;
}

static unsigned look_at_fds(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	unsigned n = 0;
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	if (dir != NULL)
		closedir(dir);
	return n;
}

/* What others sent or closed wakes it at once: one that sleeps has seen it
 * all. */
static bool is_at_rest(pid_t pid)
{
	char path[40];
	char line[128] = "";
	const char *at = NULL;
	FILE *file;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return true;
	if (fgets(line, sizeof(line), file) != NULL)
		at = strrchr(line, ')');
	fclose(file);
	return pid == getpid() || at == NULL || at[2] == 'S' || at[2] == 'Z';
}

unsigned count_fds(pid_t pid, unsigned want)
{
	double until = now_ms() + SURELY_MS;
	char path[64];
	unsigned n;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	n = look_at_fds(path);
	while (now_ms() < until && n != want) {
		unsigned seen = n;
		sleep_ms(want == 0 ? 100 : 1);
		if (want == 0 && !is_at_rest(pid))
			continue;
		n = look_at_fds(path);
		if (want == 0 && n == seen)
			break;
	}
	return n;
}
