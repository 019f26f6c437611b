/* SPDX-License-Identifier: MIT */
/* The log: forms, levels, escapes, and the rate of one call site. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/log_file.h"
#include "tests/lib/clock.h"

static char text[1 << 16];
static int fd;

/* Standard error is a file from here on. */
static void set_up(void)
{
	fd = memfd_create("log", MFD_CLOEXEC);
	cr_assert(fd >= 0 && dup2(fd, 2) == 2);
	log_setup(LOG_LEVEL_DEBUG, LOG_FORM_PLAIN);
}

/* A thread writes files: not before the call ends, where it has waited enough. */
static const char *written(void)
{
	ssize_t len;
	log_file_drain(10000);
	len = pread(fd, text, sizeof(text) - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	return text;
}

static unsigned count_of(const char *part)
{
	unsigned n = 0;
	for (const char *at = written(); (at = strstr(at, part)); at++)
		n++;
	return n;
}

TestSuite(log, .init = set_up);

Test(log, forms)
{
	log_error("one %d", 1);
	log_setup(LOG_LEVEL_DEBUG, LOG_FORM_JOURNAL);
	log_error("e");
	log_warn("w");
	log_info("i");
	log_debug("d");
	cr_expect_str_eq(written(), "slabd: error: one 1\n"
	                            "<3>e\n<4>w\n<6>i\n<7>d\n");
	cr_assert_eq(ftruncate(fd, 0), 0);
	lseek(fd, 0, SEEK_SET);
	log_setup(LOG_LEVEL_DEBUG, LOG_FORM_TERMINAL);
	log_warn("w");
	cr_expect_eq(strlen(written()), strlen("00:00:00.000 slabd: warn: w\n"));
	cr_expect_eq(text[2], ':');
	cr_expect_eq(text[8], '.');
	cr_expect_str_eq(text + 12, " slabd: warn: w\n");
}

Test(log, levels)
{
	log_setup(LOG_LEVEL_WARN, LOG_FORM_PLAIN);
	log_debug("d");
	log_info("i");
	log_warn("w");
	log_error("e");
	cr_expect_str_eq(written(), "slabd: warn: w\nslabd: error: e\n");
}

Test(log, journal_only_if_it_is_the_stream)
{
	struct stat st;
	char stream[64];
	cr_assert_eq(fstat(2, &st), 0);
	snprintf(stream, sizeof(stream), "%lu:%lu", st.st_dev, st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_setup(LOG_LEVEL_INFO, LOG_FORM_AUTO);
	log_info("a");
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_setup(LOG_LEVEL_INFO, LOG_FORM_AUTO);
	log_info("b");
	setenv("JOURNAL_STREAM", "junk", 1);
	log_setup(LOG_LEVEL_INFO, LOG_FORM_AUTO);
	log_info("c");
	cr_expect_str_eq(written(), "<6>a\nslabd: info: b\nslabd: info: c\n");
}

Test(log, escapes)
{
	char out[16];
	log_info("name %s", "x\n<0>forged\033[2J\x7f\xe2\x80\xae");
	cr_expect_str_eq(written(), "slabd: info: name x\\x0a<0>forged"
	                            "\\x1b[2J\\x7f\\xe2\\x80\\xae\n");
	cr_expect_str_eq(log_escape(out, sizeof(out), "a\tb"), "a\\x09b");
	cr_expect_str_eq(log_escape(out, 5, "abcdef"), "abcd");
	cr_expect_str_eq(log_escape(out, 5, "ab\n"), "ab", "no half escape");
	cr_expect_str_eq(log_escape(out, 1, "ab"), "");
}

Test(log, long_lines_are_cut)
{
	static char name[5000];
	memset(name, '\n', sizeof(name) - 1);
	log_info("%s", name);
	memset(name, 'y', sizeof(name) - 1);
	log_info("%s", name);
	cr_expect_eq(count_of("\n"), 2);
	cr_expect(strlen(text) < 2 * (LOG_LINE_BYTES + 64));
	cr_expect(strlen(text) > LOG_LINE_BYTES);
}

Test(log, errno_stays)
{
	errno = ENOENT;
	log_info("%m");
	cr_expect_eq(errno, ENOENT);
	cr_expect_str_eq(written(), "slabd: info: No such file or directory\n");
	close(2);
	log_info("nowhere to go");
	cr_expect_eq(errno, ENOENT);
}

Test(log, rate_of_a_site)
{
	test_clock_set(CLOCK_S);
	for (int i = 0; i < 100; i++)
		log_info("client %d", i);
	log_info("another site");
	cr_expect_eq(count_of("client"), LOG_BURST);
	cr_expect_eq(count_of("another site"), 1);
	test_clock_advance(CLOCK_MS);
	cr_expect_eq(log_flush(), CLOCK_S - CLOCK_MS);
	test_clock_advance(CLOCK_S - CLOCK_MS - 1);
	cr_expect_eq(log_flush(), 1);
	cr_expect_eq(count_of("more like this"), 0);
	test_clock_advance(1);
	cr_expect_eq(log_flush(), -1);
	cr_expect_eq(count_of("slabd: info: 90 more like this, the last: "
	                      "client 99; and 10, 11, 12, "), 1);
	cr_expect_eq(count_of(", 97, 98\n"), 1);
	cr_expect_eq(log_flush(), -1);
	cr_expect_eq(count_of("more like this"), 1);
}

/* The mark behind a name is the sentence's. */
Test(log, names_without_what_ends_them)
{
	test_clock_set(CLOCK_S);
	for (int i = 0; i < 13; i++)
		log_info("asked for by pid %d, user 0", i);
	log_close();
	cr_expect_eq(count_of("pid 12, user 0; and 10, 11\n"), 1);
}

static void say_ended(int i)
{
	log_info("pool default: client %d (gateway, pid %d) ended: %d objects "
	         "came back", i, 70000 + i, 5);
}

/* So are more than a line has room for, each with its name, while there are not too
 * many. */
Test(log, no_name_is_lost)
{
	char name[40];
	test_clock_set(CLOCK_S);
	for (int i = 100; i < 300; i++)
		say_ended(i);
	log_close();
	for (int i = 100; i < 300; i++) {
		snprintf(name, sizeof(name), "%d (gateway, pid %d)", i, 70000 + i);
		cr_expect_eq(count_of(name), 1, "%s", name);
	}
	for (int i = 0; i < 100000; i++)
		say_ended(i);
	log_close();
	cr_expect_leq(count_of("ended"), 4 * LOG_BURST * 20,
	              "a flood is bounded");
	cr_expect_leq(count_of("more like this"), 2 * (LOG_BURST + 1) + 1);
}

/* One site, whoever calls. */
static void say(const char *what)
{
	log_warn("%s", what);
}

Test(log, site_speaks_again_after_a_second)
{
	test_clock_set(CLOCK_S);
	for (int i = 0; i < 12; i++)
		say("x");
	test_clock_advance(CLOCK_S - 1);
	say("x");
	cr_expect_eq(count_of("x\n"), LOG_BURST);
	test_clock_advance(1);
	say("y");
	cr_expect_eq(count_of("warn: 3 more like this, the last: x\n"), 1);
	cr_expect_eq(count_of("warn: y\n"), 1);
	cr_expect_lt(strstr(text, "3 more"), strstr(text, "warn: y"));
	cr_expect_eq(log_flush(), -1);
}

Test(log, close_says_what_is_owed)
{
	test_clock_set(CLOCK_S);
	log_close();
	cr_expect_str_empty(written());
	for (int i = 0; i < 11; i++)
		say("x");
	for (int i = 0; i < 13; i++)
		log_error("z");
	log_close();
	cr_expect_eq(count_of("warn: 1 more like this, the last: x\n"), 1);
	cr_expect_eq(count_of("error: 3 more like this, the last: z\n"), 1);
	cr_expect_eq(log_flush(), -1);
}

static void *say_many(void *arg)
{
	for (int i = 0; i < 1000; i++)
		say(arg);
	return NULL;
}

Test(log, threads)
{
	pthread_t threads[4];
	char what[] = "t";
	unsigned held = 0;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, say_many, what);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	log_close();
	unsigned said = count_of("slabd: warn: t\n");
	for (const char *at = text; (at = strstr(at, "slabd: warn: ")); at++) {
		unsigned n;
		if (sscanf(at, "slabd: warn: %u more", &n) == 1)
			held += n;
	}
	cr_expect_eq(said + held, 4000, "%u said, %u held", said, held);
}

/* A pipe that nobody reads: lines are lost, and no call waits. */
Test(log, nobody_reads)
{
	int ends[2];
	ssize_t len;
	cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
	while (write(ends[1], text, 4096) > 0)
		continue;
	/* The log's end is one that would wait. */
	cr_assert_eq(fcntl(ends[1], F_SETFL, 0), 0);
	cr_assert_eq(dup2(ends[1], 2), 2);
	for (unsigned i = 0; i < 5; i++)
		log_info("line %u", i);
	while ((len = read(ends[0], text, sizeof(text) - 1)) > 0)
		continue;
	log_info("read again");
	len = read(ends[0], text, sizeof(text) - 1);
	cr_assert_gt(len, 0);
	text[len] = '\0';
	cr_expect_str_eq(text,
	                 "slabd: warn: 5 lines are lost: nobody read the log\n"
	                 "slabd: info: read again\n");
}

/* Until that has come, which may be in pieces: text has all of it. */
static bool reads(int from, const char *what)
{
	struct pollfd at = {.fd = from, .events = POLLIN};
	size_t len = 0;
	text[0] = '\0';
	while (strstr(text, what) == NULL && poll(&at, 1, 60000) == 1) {
		ssize_t n = read(from, text + len, sizeof(text) - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
		text[len] = '\0';
	}
	return strstr(text, what) != NULL;
}

/* A terminal that nobody reads has room for a part of a line at some time: that
 * is lost, too, and nothing waits for the rest. */
Test(log, nobody_reads_a_terminal)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	char line[700];
	unsigned lines = 0;
	int slave;
	cr_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	cr_assert(slave >= 0 && dup2(slave, 2) == 2);
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	/* A site of its own each: none is held back. */
	for (unsigned i = 0; i < 200; i++) {
		struct log_site site = {0};
		log_write(&site, LOG_LEVEL_INFO, "%s", line);
	}
	fcntl(master, F_SETFL, O_NONBLOCK);
	for (ssize_t n; (n = read(master, text, sizeof(text) - 1)) > 0;) {
		text[n] = '\0';
		for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
			lines++;
	}
	cr_expect(lines > 0 && lines < 200, "%u lines", lines);
	log_info("read again");
	cr_expect(reads(master, "slabd: info: read again"));
	cr_expect_not_null(strstr(text, "lines are lost: nobody read the log"));
}

/* So is it with a stream whose other end does not read, as the journal's. */
Test(log, nobody_reads_a_stream)
{
	int ends[2];
	char line[700];
	ssize_t n;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	cr_assert_eq(dup2(ends[1], 2), 2);
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	for (unsigned i = 0; i < 2000; i++) {
		struct log_site site = {0};
		log_write(&site, LOG_LEVEL_INFO, "%s", line);
	}
	while (recv(ends[0], text, sizeof(text) - 1, MSG_DONTWAIT) > 0)
		continue;
	log_info("read again");
	n = recv(ends[0], text, sizeof(text) - 1, MSG_DONTWAIT);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	cr_expect_not_null(strstr(text, "lines are lost: nobody read the log"));
	cr_expect_not_null(strstr(text, "slabd: info: read again"));
}

/* A disk that is full: said once it is not, with the reason. */
Test(log, a_full_disk)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	cr_assert(full >= 0 && dup2(full, 2) == 2);
	for (unsigned i = 0; i < 3; i++)
		log_info("line %u", i);
	log_file_drain(10000);
	cr_assert_eq(dup2(fd, 2), 2);
	log_info("room again");
	cr_expect_str_eq(written(),
	                 "slabd: warn: 3 lines are lost: No space left on "
	                 "device\nslabd: info: room again\n");
}

/* One alone is one line. */
Test(log, a_full_disk_and_one_line)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	cr_assert(full >= 0 && dup2(full, 2) == 2);
	log_info("line");
	log_file_drain(10000);
	cr_assert_eq(dup2(fd, 2), 2);
	log_info("room again");
	cr_expect_str_eq(written(),
	                 "slabd: warn: 1 line is lost: No space left on "
	                 "device\nslabd: info: room again\n");
}

/* The same of a file, which a thread writes. */
Test(log, a_file_that_takes_nothing)
{
	int sealed = memfd_create("full", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	cr_assert_eq(fcntl(sealed, F_ADD_SEALS, F_SEAL_GROW), 0);
	cr_assert_eq(dup2(sealed, 2), 2);
	for (unsigned i = 0; i < 3; i++)
		log_info("line %u", i);
	log_file_drain(10000);
	cr_assert_eq(dup2(fd, 2), 2);
	log_info("room again");
	cr_expect_str_eq(written(),
	                 "slabd: warn: 3 lines are lost: Operation not "
	                 "permitted\nslabd: info: room again\n");
}

Test(log, a_child)
{
	log_info("here");
	if (fork() == 0) {
		log_info("in a child, which has no thread");
		_exit(0);
	}
	cr_assert(wait(NULL) > 0);
	cr_expect_eq(count_of("in a child"), 1);
}

/* A terminal that is stopped, or gone. */
Test(log, a_terminal_that_is_gone)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	int slave;
	cr_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	cr_assert(slave >= 0 && dup2(slave, 2) == 2);
	tcflow(slave, TCOOFF);
	log_info("as if by ^S");
	tcflow(slave, TCOON);
	close(master);
	log_info("nobody is there");
	cr_assert_eq(dup2(fd, 2), 2);
	log_info("in a file");
	cr_expect(count_of("lines are lost: ") == 1 &&
	          count_of("in a file") == 1);
}
