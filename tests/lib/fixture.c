/* SPDX-License-Identifier: MIT */
/* A real slabd in a folder of its own, and what it answers. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define ANSWER_SECONDS 30
#define WANTS_MS SURELY_MS

/* ---- start and end ------------------------------------------------------ */

/* A line of /proc/meminfo, or -1. */
static long read_memory(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "re");
	size_t len = strlen(name);
	char line[128];
	long n = -1;
	while (file != NULL && n < 0 && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, name, len) == 0 && line[len] == ':')
			n = strtol(line + len + 1, NULL, 10);
	if (file != NULL)
		fclose(file);
	return n;
}

static bool put_config(FILE *file, const char *format, va_list args)
        __attribute__((format(printf, 2, 0)));
static void make(struct fixture *fixture, const char *format, va_list args)
        __attribute__((format(printf, 2, 0)));

/* What other tests do to the machine's memory meanwhile stops no growth here,
 * where a test does not say that it may. */
static bool put_config(FILE *file, const char *format, va_list args)
{
	static const char balance[] = "[balance]\n";
	static const char calm[] = "pressure = off\n";
	const char *rest;
	char *text;
	bool put;
	if (vasprintf(&text, format, args) < 0)
		return false;
	rest = strstr(text, balance);
	if (strstr(text, "pressure") != NULL)
		put = fputs(text, file) >= 0;
	else if (rest == NULL)
		put = fprintf(file, "%s\n%s%s", text, balance, calm) >= 0;
	else
		put = fprintf(file, "%.*s%s%s%s", (int)(rest - text), text,
		              balance, calm, rest + strlen(balance)) >= 0;
	free(text);
	return put;
}

static void make(struct fixture *fixture, const char *format, va_list args)
{
	FILE *file;
	memset(fixture, 0, sizeof(*fixture));
	fixture->hugepages = read_memory("HugePages_Total");
	fixture->spare = read_memory("HugePages_Free");
	strcpy(fixture->dir, "/tmp/slabd-proc-XXXXXX");
	if (mkdtemp(fixture->dir) == NULL)
		tap_bail("%s: %s", fixture->dir, strerror(errno));
	chmod(fixture->dir, 0755);
	snprintf(fixture->config, sizeof(fixture->config), "%s/conf",
	         fixture->dir);
	snprintf(fixture->socket, sizeof(fixture->socket), "%s/sock",
	         fixture->dir);
	snprintf(fixture->control, sizeof(fixture->control), "%s/ctl",
	         fixture->dir);
	snprintf(fixture->log, sizeof(fixture->log), "%s/log", fixture->dir);
	file = fopen(fixture->config, "we");
	fixture->huge = strstr(format, "page = 4k") == NULL;
	if (file == NULL || !put_config(file, format, args) ||
	    fclose(file) != 0)
		tap_bail("%s: %s", fixture->config, strerror(errno));
}

void fixture_make(struct fixture *fixture, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	make(fixture, format, args);
	va_end(args);
}

bool fixture_fork(struct fixture *fixture)
{
	int log;
	fixture->pid = fork();
	if (fixture->pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (fixture->pid > 0)
		return false;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(0);
	log = open(fixture->log, O_WRONLY | O_CREAT | O_APPEND, 0644);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	close(log);
	return true;
}

void fixture_spawn(struct fixture *fixture, void (*setup)(void))
{
	const char *builddir = getenv("builddir");
	char path[512];
	snprintf(path, sizeof(path), "%s/daemon/slabd",
	         builddir != NULL ? builddir : ".");
	if (!fixture_fork(fixture))
		return;
	if (setup != NULL)
		setup();
	execl(path, path, "--foreground", "--config", fixture->config,
	      "--socket", fixture->socket, "--control", fixture->control,
	      (char *)NULL);
	dprintf(STDERR_FILENO, "%s: %s\n", path, strerror(errno));
	_exit(127);
}

bool fixture_ready(struct fixture *fixture)
{
	double until = now_ms() + SURELY_MS;
	while (now_ms() < until) {
		json_t *doc = fixture_get(fixture, "/status");
		json_decref(doc);
		if (doc != NULL)
			return true;
		if (waitpid(fixture->pid, NULL, WNOHANG) != 0) {
			fixture->pid = 0;
			return false;
		}
		sleep_ms(2);
	}
	return false;
}

static void show_log(const struct fixture *fixture)
{
	char line[512];
	FILE *file = fopen(fixture->log, "re");
	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		tap_note("slabd's log: %s", line);
	}
	fclose(file);
}

bool fixture_start(struct fixture *fixture)
{
	fixture_spawn(fixture, NULL);
	if (fixture_ready(fixture))
		return true;
	show_log(fixture);
	return false;
}

void fixture_open(struct fixture *fixture, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	make(fixture, format, args);
	va_end(args);
	if (!fixture_start(fixture))
		tap_bail("slabd does not start");
}

int fixture_wait(struct fixture *fixture, unsigned ms)
{
	double until = now_ms() + ms;
	int status = -1;
	pid_t got;
	while ((got = waitpid(fixture->pid, &status, WNOHANG)) == 0 &&
	       now_ms() < until)
		sleep_ms(1);
	if (got != fixture->pid)
		return -1;
	fixture->pid = 0;
	return status;
}

void fixture_signal(const struct fixture *fixture, int signal)
{
	if (fixture->pid > 0)
		kill(fixture->pid, signal);
}

/* Whether it is stopped: as /proc/PID/stat says behind the name. */
static bool is_stopped(pid_t pid)
{
	char path[40];
	char line[128] = "";
	const char *at;
	FILE *file;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	at = fgets(line, sizeof(line), file);
	fclose(file);
	at = at != NULL ? strrchr(line, ')') : NULL;
	return at != NULL && at[2] == 'T';
}

void fixture_halt(const struct fixture *fixture)
{
	double until = now_ms() + SURELY_MS;
	fixture_signal(fixture, SIGSTOP);
	while (!is_stopped(fixture->pid)) {
		if (now_ms() > until)
			tap_bail("slabd does not stop");
		sleep_ms(1);
	}
}

void fixture_remove(struct fixture *fixture)
{
	char ledgers[80];
	glob_t left = {0};
	snprintf(ledgers, sizeof(ledgers), "%s/*.ledger", fixture->dir);
	(void)glob(ledgers, 0, NULL, &left);
	for (size_t i = 0; i < left.gl_pathc; i++)
		unlink(left.gl_pathv[i]);
	globfree(&left);
	unlink(fixture->config);
	unlink(fixture->socket);
	unlink(fixture->control);
	unlink(fixture->log);
	if (rmdir(fixture->dir) < 0)
		tap_note("%s: %s", fixture->dir, strerror(errno));
}

/* Others reserve hugepages too, and use them: what slabd had left behind would
 * stay, and stay free. */
bool fixture_huge_back(const struct fixture *fixture)
{
	double until = now_ms() + SURELY_MS;
	bool back = false;
	while (!back && now_ms() < until) {
		back = read_memory("HugePages_Total") <= fixture->hugepages ||
		       read_memory("HugePages_Free") <= fixture->spare;
		sleep_ms(back ? 0 : 50);
	}
	return back;
}

void fixture_close(struct fixture *fixture)
{
	int status;
	double since = now_ms();
	fixture_signal(fixture, SIGTERM);
	status = fixture_wait(fixture, SURELY_MS);
	if (!tap_ok(status == 0, "slabd ends with status 0 on SIGTERM")) {
		tap_note("status 0x%x after %.0f ms", status,
		         now_ms() - since);
		show_log(fixture);
		fixture_signal(fixture, SIGKILL);
	}
	tap_ok(access(fixture->socket, F_OK) < 0 &&
	               access(fixture->control, F_OK) < 0,
	       "and leaves no socket");
	if (fixture->huge)
		tap_ok(fixture_huge_back(fixture),
		       "nor more hugepages than before");
	fixture_remove(fixture);
}

/* ---- clients ------------------------------------------------------------ */

struct slabd_options fixture_options(const struct fixture *fixture,
                                     unsigned flags)
{
	struct slabd_options options = {.socket = fixture->socket,
	                                .flags = flags};
	options.wait_ms = WANTS_MS;
	return options;
}

void fixture_fails(bool failed, int err, const char *what)
{
	int was = errno;
	if (!tap_ok(failed && was == err && slabd_last_error()[0] != '\0',
	            "%s: %s", what, strerror(err)))
		tap_note("%s, errno %s, \"%s\"", failed ? "failed" : "did not",
		         strerror(was), slabd_last_error());
}

slabd_pool *fixture_pool(const struct fixture *fixture)
{
	struct slabd_options options = fixture_options(fixture, 0);
	double until = now_ms() + SURELY_MS;
	slabd_pool *pool;
	do
		pool = slabd_open(NULL, &options);
	while (pool == NULL && errno == ETIMEDOUT && now_ms() < until);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

slabd_cache *fixture_cache(slabd_pool *pool, const char *name, size_t size)
{
	double until = now_ms() + SURELY_MS;
	slabd_cache *cache;
	do
		cache = slabd_cache_create(pool, name, size, 0, 0);
	while (cache == NULL && errno == ETIMEDOUT && now_ms() < until);
	if (cache == NULL)
		tap_bail("slabd_cache_create %s: %s", name, slabd_last_error());
	return cache;
}

size_t fixture_take(slabd_cache *cache, size_t n, void **to)
{
	double until = now_ms() + SURELY_MS;
	size_t got = 0;
	while (got < n && now_ms() < until) {
		to[got] = slabd_alloc(cache);
		got += to[got] != NULL;
	}
	return got;
}

/* ---- questions ---------------------------------------------------------- */

static int connect_to(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = ANSWER_SECONDS};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strncpy(to.sun_path, path, sizeof(to.sun_path) - 1);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (void *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Reads to the end; the text, which the caller frees, or NULL. */
static char *read_all(int fd)
{
	size_t room = 1 << 16;
	size_t n = 0;
	char *text = malloc(room + 1);
	ssize_t got = -1;
	while (text != NULL && (got = recv(fd, text + n, room - n, 0)) > 0) {
		n += (size_t)got;
		if (n == room)
			text = realloc(text, (room *= 2) + 1);
	}
	if (text == NULL || got < 0) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

json_t *fixture_get(const struct fixture *fixture, const char *path)
{
	char request[256];
	char *text;
	char *body;
	json_t *doc = NULL;
	int fd = connect_to(fixture->control);
	int n = snprintf(request, sizeof(request),
	                 "GET %s HTTP/1.1\r\nHost: slabd\r\n"
	                 "Connection: close\r\n\r\n", path);
	if (fd < 0)
		return NULL;
	send(fd, request, (size_t)n, MSG_NOSIGNAL);
	text = read_all(fd);
	close(fd);
	body = text != NULL ? strstr(text, "\r\n\r\n") : NULL;
	if (body != NULL && strncmp(text, "HTTP/1.1 200", 12) == 0)
		doc = json_loads(body + 4, 0, NULL);
	free(text);
	return doc;
}

bool fixture_post(const struct fixture *fixture, const char *path,
                  const char *form)
{
	char request[512];
	char *text;
	bool done;
	int fd = connect_to(fixture->control);
	int n = snprintf(request, sizeof(request),
	                 "POST %s HTTP/1.1\r\nHost: slabd\r\n"
	                 "Connection: close\r\nContent-Length: %zu\r\n"
	                 "Content-Type: application/x-www-form-urlencoded\r\n"
	                 "\r\n%s", path, strlen(form), form);
	if (fd < 0)
		return false;
	send(fd, request, (size_t)n, MSG_NOSIGNAL);
	text = read_all(fd);
	close(fd);
	done = text != NULL && strncmp(text, "HTTP/1.1 200", 12) == 0;
	free(text);
	return done;
}

json_t *json_at(json_t *doc, const char *path)
{
	char key[64];
	while (doc != NULL && *path != '\0') {
		size_t n = strcspn(path, ".");
		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		doc = json_is_array(doc)
		              ? json_array_get(doc, (size_t)atoi(key))
		              : json_object_get(doc, key);
		path += path[n] == '.' ? n + 1 : n;
	}
	return doc;
}

long long fixture_number(const struct fixture *fixture, const char *path,
                         const char *at)
{
	json_t *doc = fixture_get(fixture, path);
	json_t *part = json_at(doc, at);
	long long value = json_is_integer(part)   ? json_integer_value(part)
	                  : json_is_boolean(part) ? json_is_true(part)
	                                          : INT64_MIN;
	json_decref(doc);
	return value;
}

long long fixture_client(const struct fixture *fixture, unsigned id,
                         const char *at)
{
	json_t *doc = fixture_get(fixture, "/clients");
	json_t *clients = json_at(doc, "pools.0.clients");
	long long value = INT64_MIN;
	json_t *row;
	size_t i;
	json_array_foreach(clients, i, row) {
		json_t *part = json_object_get(row, at);
		if (json_integer_value(json_object_get(row, "id")) != id)
			continue;
		value = json_is_boolean(part) ? json_is_true(part)
		                              : json_integer_value(part);
	}
	json_decref(doc);
	return value;
}

double fixture_until(const struct fixture *fixture, const char *path,
                     const char *at, long long want, unsigned limit_ms)
{
	double since = now_ms();
	while (fixture_number(fixture, path, at) != want) {
		if (now_ms() > since + limit_ms)
			return -1;
		sleep_ms(1);
	}
	return now_ms() - since;
}

bool fixture_audit(const struct fixture *fixture, const char *name)
{
	json_t *doc = fixture_get(fixture, "/audit");
	bool agree = json_is_true(json_at(doc, "agree"));
	tap_ok(agree, "%s: the audit agrees", name);
	if (!agree) {
		char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
		tap_note("%.900s", text != NULL ? text : "no answer");
		free(text);
	}
	json_decref(doc);
	return agree;
}
