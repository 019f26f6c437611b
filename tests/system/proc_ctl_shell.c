/* SPDX-License-Identifier: MIT */
/*
 * slabctl in a shell and on a screen: completion asks it for what may come next,
 * with names of a real slabd's; --watch fits its window; --json --watch gives a
 * document a line.
 */
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define ROWS 9
#define CACHES 20

static struct fixture fixture;
static char said[32768];

/* What a command of a shell says on both outputs. */
static void sh(const char *command)
{
	FILE *out = popen(command, "r");
	size_t n;
	if (out == NULL)
		tap_bail("no shell");
	n = fread(said, 1, sizeof(said) - 1, out);
	said[n] = '\0';
	pclose(out);
}

static const char *build(void)
{
	const char *dir = getenv("builddir");
	return dir != NULL ? dir : ".";
}

static const char *source(void)
{
	const char *dir = getenv("srcdir");
	return dir != NULL ? dir : ".";
}

/* ---- completion ----------------------------------------------------------- */

/* As bash does it: the words, the last as far as it is typed; "" in quotes. */
static void completes(const char *words, unsigned last, const char *want)
{
	char command[1200];
	snprintf(command, sizeof(command),
	         "bash -c '. %s/daemon/completion/slabctl.bash; "
	         "COMP_WORDS=(%s/daemon/slabctl %s); COMP_CWORD=%u; "
	         "_slabctl %s/daemon/slabctl; echo ${COMPREPLY[*]}' 2>&1",
	         source(), build(), words, last, build());
	sh(command);
	if (!tap_ok(strcmp(said, want) == 0, "slabctl %s: %.*s", words,
	            (int)strcspn(want, "\n"), want))
		tap_note("%s", said);
}

static void test_completion(void)
{
	setenv("SLABD_CONTROL", fixture.control, 1);
	completes("aud", 1, "audit\n");
	completes("lend \"\"", 2,
	          "c0 c1 c2 c3 c4 c5 c6 c7 c8 c9 c10 c11 c12 c13 c14 c15 c16 c17 "
	          "c18 c19\n");
	completes("lend c19 \"\"", 3, "0 1\n");
	completes("slabs --cache c1", 3,
	          "c1 c10 c11 c12 c13 c14 c15 c16 c17 c18 c19\n");
	completes("set ho", 2, "hold hold_max\n");
	completes("set hold_max \"\"", 3, "1m\n");
	completes("set enabled \"\"", 3, "yes no\n");
	completes("slabs --sort o", 3, "offset objects\n");
	completes("clients --sort re", 3, "remote refused\n");
	completes("caches --sort in", 3, "in-use\n");
	completes("caches --watch --sort us", 4, "used used/s\n");
	completes("--sort \"\"", 2, "\n");
	completes("status --sort \"\"", 3, "\n");
	completes("status --color = al", 4, "always\n");
	completes("--pool d", 2, "default\n");
	completes("evict \"\"", 2, "1\n");
	completes("cache remove c19", 3, "c19\n");
	completes("cache remove de", 3, "default\n");
	completes("cache remove default c19", 4, "c19\n");
}

/* The same in fish, which takes what is offered as it is. */
static void test_fish(void)
{
	char command[1200];
	snprintf(command, sizeof(command),
	         "export HOME=$(mktemp -d) PATH=%s/daemon:$PATH; "
	         "fish --no-config -c "
	         "\"source %s/daemon/completion/slabctl.fish; complete -C "
	         "'slabctl roots --sort na'; complete -C 'slabctl set hold_max '\" "
	         "2>/dev/null; rm -rf \"$HOME\"", build(), source());
	sh(command);
	if (!tap_ok(strcmp(said, "names-one-of\n1m\n") == 0,
	            "fish has a column of several words, and a value"))
		tap_note("%s", said);
}

/* ---- watched -------------------------------------------------------------- */

static void test_json(void)
{
	char command[600];
	char *second;
	snprintf(command, sizeof(command),
	         "'%s/daemon/slabctl' --control %s --json --watch=1 nodes 2>&1 | "
	         "head -n 2", build(), fixture.control);
	sh(command);
	second = strchr(said, '\n');
	tap_ok(second != NULL && strchr(second + 1, '\n') != NULL &&
	               strchr(second + 1, '\n')[1] == '\0',
	       "two documents, a line each");
	for (unsigned i = 0; second != NULL && i < 2; i++) {
		char *line = i == 0 ? said : second + 1;
		json_t *doc;
		line[strcspn(line, "\n")] = '\0';
		doc = json_loads(line, 0, NULL);
		tap_ok(json_at(doc, "pools.0.nodes.1.node") != NULL,
		       "line %u is one", i + 1);
		tap_is(json_at(doc, "pools.0.nodes.1.per_s.used_bytes") !=
		               NULL && json_at(doc, "since_s") != NULL,
		       i, "%s rates", i == 0 ? "without" : "with");
		json_decref(doc);
	}
}

/* The first screen of a command in a window of ROWS rows, as far as it says
 * last, or more. */
static void see(const char *term, const char *verb, const char *last)
{
	struct winsize size = {.ws_row = ROWS, .ws_col = 72};
	char program[400];
	size_t n = 0;
	int fd;
	pid_t pid = forkpty(&fd, NULL, NULL, &size);
	if (pid == 0) {
		snprintf(program, sizeof(program), "%s/daemon/slabctl", build());
		setenv("LC_ALL", "C.UTF-8", 1);
		unsetenv("NO_COLOR");
		if (term == NULL)
			unsetenv("TERM");
		else
			setenv("TERM", term, 1);
		execl(program, "slabctl", "--control", fixture.control,
		      "--watch=60", verb, (char *)NULL);
		_exit(127);
	}
	if (pid < 0)
		tap_bail("no terminal");
	memset(said, 0, sizeof(said));
	while (n < sizeof(said) - 1 && strstr(said, last) == NULL) {
		ssize_t got = read(fd, said + n, sizeof(said) - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
		said[n] = '\0';
	}
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	close(fd);
}

static void test_window(void)
{
	unsigned lines = 0;
	see("xterm", "caches", "show");
	for (const char *at = said; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	tap_ok(strstr(said, "lines more: a larger window shows them") != NULL,
	       "what does not fit is said");
	tap_ok(lines < ROWS, "and nothing scrolls: %u lines of %u", lines, ROWS);
	tap_ok(strstr(said, "c0") != NULL, "the first ones are there");
}

/* What would act on the terminal is there as signs. */
static void test_lines(void)
{
	see("dumb", "caches", "\nc19 ");
	tap_ok(strstr(said, "\nc0 ") != NULL && strchr(said, '\033') == NULL,
	       "a dumb terminal has lines and nothing else");
	see(NULL, "caches", "\nc19 ");
	tap_ok(strstr(said, "\nc0 ") != NULL && strchr(said, '\033') == NULL,
	       "so has one of which nothing is known");
}

int main(void)
{
	slabd_pool *pool;
	tap_start(60);
	fixture_open(&fixture, "[slabd]\ntopology = node:2 core:1 pu:1\n"
	                       "[pool default]\npage = 4k\nmax = 16M\n");
	pool = fixture_pool(&fixture);
	for (unsigned i = 0; i < CACHES; i++) {
		char name[8];
		snprintf(name, sizeof(name), "c%u", i);
		fixture_cache(pool, name, 64 + 16 * i);
	}
	if (system("command -v bash >/dev/null") == 0)
		test_completion();
	else
		tap_skip("no bash here", "completion");
	if (system("command -v fish >/dev/null") == 0)
		test_fish();
	else
		tap_skip("no fish here", "completion in fish");
	test_json();
	test_window();
	test_lines();
	slabd_close(pool);
	fixture_close(&fixture);
	return tap_end();
}
