/* SPDX-License-Identifier: MIT */
/* slabctl top in a terminal that tmux plays: keys, sizes, a restart of slabd, and
 * terminals that it can't draw on. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define CONFIG "[slabd]\ntopology = node:2 core:1 pu:1\n"                      \
               "[pool default]\npage = 4k\nstart = 4M\nmax = 64M\n"
#define OBJECTS 1000

static struct fixture fixture;
static char screen[1 << 16];
static void *all[OBJECTS];

static void terminal(int fd, void *arg)
{
	char path[128];
	(void)fd;
	(void)arg;
	snprintf(path, sizeof(path), "%s/tmux", fixture.dir);
	unsetenv("TMUX");
	setenv("LC_ALL", "C.UTF-8", 1);
	execlp("tmux", "tmux", "-D", "-f", "/dev/null", "-S", path, NULL);
	_exit(1);
}

/* One command of tmux; what it prints is the screen. */
static bool tmux(const char *command)
{
	char line[1024];
	FILE *out;
	size_t n;
	snprintf(line, sizeof(line),
	         "LC_ALL=C.UTF-8 tmux -f /dev/null -S %s/tmux %s 2>/dev/null",
	         fixture.dir, command);
	out = popen(line, "r");
	if (out == NULL)
		tap_bail("can't run a shell: %s", strerror(errno));
	n = fread(screen, 1, sizeof(screen) - 1, out);
	screen[n] = '\0';
	return pclose(out) == 0;
}

/* Until it shows the text, or does not. */
static bool shows_or_not(const char *text, bool wanted)
{
	double until = now_ms() + SURELY_MS;
	do {
		if (tmux("capture-pane -p -t t") &&
		    (strstr(screen, text) != NULL) == wanted)
			return true;
		sleep_ms(50);
	} while (now_ms() < until);
	for (char *at = strtok(screen, "\n"); at; at = strtok(NULL, "\n"))
		tap_note("%s", at);
	return false;
}

static bool shows(const char *text)
{
	return shows_or_not(text, true);
}

static void start(const char *before, const char *behind)
{
	const char *build = getenv("builddir");
	char line[900];
	snprintf(line, sizeof(line),
	         "new-session -d -s t -x 80 -y 24 "
	         "'%s %s/daemon/slabctl --control %s top %s; echo ended $?; "
	         "exec sleep 1000'",
	         before, build ? build : ".", fixture.control, behind);
	if (!tmux(line))
		tap_bail("no terminal in tmux");
}

static void end(void)
{
	tmux("kill-session -t t");
}

static void client(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "orders", 1024);
	(void)arg;
	fixture_cache(pool, "zebras", 64);
	say(fd, fixture_take(cache, OBJECTS, all));
	hear(fd);
	slabd_close(pool);
}

/* Whether a comes above b. */
static bool above(const char *a, const char *b)
{
	const char *x = strstr(screen, a);
	const char *y = strstr(screen, b);
	return x != NULL && y != NULL && x < y;
}

static void test_keys(void)
{
	tap_ok(shows("node 1") && shows("orders"), "nodes and caches");
	tap_ok(strstr(screen, "pool default") && strstr(screen, "ready"),
	       "with the pool and its memory");
	tap_ok(shows("refilled/s"), "rates, as soon as they are known");
	tap_ok(above("orders", "zebras"), "what uses most is first");
	tmux("send-keys -t t R");
	tap_ok(shows("least first") && above("zebras", "orders"),
	       "R turns that round");
	tmux("send-keys -t t n");
	tap_ok(shows("caches by cache") && above("orders", "zebras"),
	       "n: by name");
	tmux("send-keys -t t '?'");
	tap_ok(shows("by objects"), "? shows the keys");
	tmux("send-keys -t t '?' Tab");
	tap_ok(shows("clients by bytes") && shows("proc_top"),
	       "Tab: the clients");
	tmux("send-keys -t t x x y z");
	tap_ok(shows("clients by remote"), "a key without a meaning does nothing");
}

/* Whether the line of the pool's memory ends with one: 0, or a number and a unit. */
static bool shows_whole_figures(void)
{
	char *line = strstr(screen, "\nready ");
	size_t n = line != NULL ? strcspn(line + 1, "\n") : 0;
	while (n > 0 && line[n] == ' ')
		n--;
	return n > 0 && (line[n] == 'B' || strncmp(line + n - 1, " 0", 2) == 0);
}

static void test_sizes(void)
{
	tmux("resize-window -t t -x 40 -y 10");
	tap_ok(shows_or_not("every", false), "40x10 cuts its lines");
	tap_ok(shows("pool default") && shows("live"), "has the table still");
	tap_ok(shows_whole_figures(), "and no half of a figure");
	tmux("resize-window -t t -x 30 -y 8");
	tap_ok(shows("too small: 30x8"), "what is too small is said");
	tmux("resize-window -t t -x 120 -y 40");
	tap_ok(shows("uid"), "and what is large is used");
	tmux("resize-window -t t -x 80 -y 24");
	tap_ok(shows("clients by remote"), "80x24 again");
}

static void test_restart(void)
{
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	tap_ok(shows("waiting for slabd"), "slabd is gone: it waits");
	tap_ok(fixture_start(&fixture), "slabd is there again");
	tap_ok(shows_or_not("waiting for slabd", false), "it goes on");
}

/* 39 is that of the terminal. */
static bool has_color(void)
{
	for (const char *at = screen; (at = strstr(at, "\033[3")); at += 3)
		if (at[3] >= '0' && at[3] <= '7')
			return true;
	return false;
}

static void test_terminals(void)
{
	char line[400];
	const char *build = getenv("builddir");
	FILE *out;
	start("TERM=dumb", "");
	tap_ok(shows("ended 1") && strstr(screen, "--watch"),
	       "a terminal that can't be drawn on: the remedy");
	end();
	start("NO_COLOR=1", "--watch=1");
	tap_ok(shows("node 1"), "without colours");
	tmux("capture-pane -e -p -t t");
	tap_ok(!has_color(), "there are none");
	tmux("send-keys -t t q");
	tap_ok(shows("ended 0"), "q ends it");
	end();
	snprintf(line, sizeof(line),
	         "'%s/daemon/slabctl' --control %s top 2>&1 </dev/null",
	         build ? build : ".", fixture.control);
	out = popen(line, "r");
	screen[out ? fread(screen, 1, 1000, out) : 0] = '\0';
	tap_ok(out && pclose(out) != 0 && strstr(screen, "needs a terminal"),
	       "no terminal at all");
}

int main(void)
{
	struct child server;
	struct child child;
	double until = now_ms() + SURELY_MS;
	tap_start(300);
	if (system("tmux -V >/dev/null 2>&1") != 0) {
		tap_skip("tmux is not there", "slabctl top in a terminal");
		return tap_end();
	}
	fixture_open(&fixture, CONFIG);
	child_start(&server, terminal, NULL);
	child_start(&child, client, NULL);
	tap_is((long long)hear(child.fd), OBJECTS, "a client has objects");
	while (!tmux("start-server") && now_ms() < until)
		sleep_ms(20);
	start("", "--watch=1");
	test_keys();
	test_sizes();
	test_restart();
	tmux("send-keys -t t q");
	tap_ok(shows("ended 0"), "q ends it");
	end();
	test_terminals();
	tmux("kill-server");
	child_kill(&server);
	snprintf(screen, sizeof(screen), "%s/tmux", fixture.dir);
	unlink(screen);
	child_kill(&child);
	fixture_close(&fixture);
	return tap_end();
}
