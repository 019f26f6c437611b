/* SPDX-License-Identifier: MIT */
#include "tests/replay/report.h"

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MIB 1048576.0

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double cpu_s(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}

/* One "Name:  N kB" line of /proc/self/status, in bytes; 0 where missing. */
static uint64_t status_bytes(const char *name)
{
	FILE *file = fopen("/proc/self/status", "re");
	size_t length = strlen(name);
	uint64_t kib = 0;
	char line[256];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, length) && line[length] == ':')
			sscanf(line + length + 1, "%" SCNu64, &kib);
	fclose(file);
	return kib * 1024;
}

void report_start(struct report *report, struct report_memory *memory)
{
	FILE *file = fopen("/proc/self/clear_refs", "we");

	/* 5 makes the kernel start the RSS peak anew. */
	if (file) {
		fputs("5", file);
		fclose(file);
	}
	memory->rss_start_bytes = status_bytes("VmRSS");
	report->start_cpu_s = cpu_s();
	report->start_s = now_s();
}

void report_peaks(struct report_memory *memory)
{
	memory->rss_peak_bytes = status_bytes("VmHWM");
	memory->hugetlb_bytes = status_bytes("HugetlbPages");
}

/* A file name may hold any byte but zero and slash. */
static void put_json_string(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < ' ')
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

static const char *state_of(const struct run_count *count, bool last)
{
	if (last)
		return "done";
	if (count->n_holding && count->n_holding == count->n_running)
		return "hold";
	return "run";
}

static void put_watch(const struct report *report,
                      const struct run_count *count, bool last)
{
	FILE *out = report->watch;

	fprintf(out, "{\"pid\":%d,\"client\":%u,\"trace\":", getpid(),
	        report->client_id);
	put_json_string(out, report->trace);
	fprintf(out,
	        ",\"state\":\"%s\",\"t_s\":%.2f,\"done\":%" PRIu64
	        ",\"total\":%" PRIu64 ",\"live_bytes\":%" PRId64
	        ",\"mismatches\":%" PRIu64 "}\n",
	        state_of(count, last), now_s() - report->start_s, count->done,
	        report->total, count->live_bytes, count->mismatches);
	fflush(out);
}

static void put_line(const struct report *report, const struct run_count *count,
                     bool last)
{
	bool rewrite = isatty(STDERR_FILENO);
	char share[32] = "";

	if (report->total)
		snprintf(share, sizeof(share), " of %.1f M (%.0f %%)",
		         (double)report->total / 1e6,
		         100.0 * (double)count->done / (double)report->total);
	fprintf(stderr, "%s%s: %.1f M events%s, %.1f MiB live, %s%s",
	        rewrite ? "\r\033[K" : "", report->trace,
	        (double)count->done / 1e6, share,
	        (double)count->live_bytes / MIB, state_of(count, last),
	        rewrite && !last ? "" : "\n");
}

void report_progress(const struct report *report, const struct run_count *count,
                     bool last)
{
	if (report->watch)
		put_watch(report, count, last);
	if (report->line)
		put_line(report, count, last);
}

static double ratio(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static void result_json(const struct report *report, const struct run *run,
                        const struct run_count *count,
                        const struct report_memory *memory,
                        const struct slabd_stats *stats)
{
	double cpu = cpu_s() - report->start_cpu_s;
	double done = (double)count->done;

	printf("{\"trace\":");
	put_json_string(stdout, report->trace);
	printf(",\"backend\":\"%s\",\"client\":%u,\"threads\":%u"
	       ",\"events\":%" PRIu64 ",\"wall_s\":%.3f,\"cpu_s\":%.3f"
	       ",\"events_per_s\":%.0f,\"ns_per_event\":%.1f"
	       ",\"cpu_ns_per_event\":%.1f",
	       report->backend, report->client_id, run->n_workers, count->done,
	       count->busy_s, cpu, ratio(done, count->busy_s),
	       ratio(count->busy_s * 1e9, done), ratio(cpu * 1e9, done));
	printf(",\"peak_live_bytes\":%" PRId64 ",\"rss_start_bytes\":%" PRIu64
	       ",\"rss_peak_bytes\":%" PRIu64 ",\"hugetlb_bytes\":%" PRIu64
	       ",\"large\":%" PRIu64 ",\"mismatches\":%" PRIu64
	       ",\"no_memory\":%" PRIu64,
	       count->peak_bytes, memory->rss_start_bytes,
	       memory->rss_peak_bytes, memory->hugetlb_bytes, count->large,
	       count->mismatches, count->refused);
	printf(",\"refills\":%" PRIu64 ",\"flushes\":%" PRIu64
	       ",\"remote_allocs\":%" PRIu64 ",\"remote_frees\":%" PRIu64
	       ",\"waits\":%" PRIu64 ",\"refused_frees\":%" PRIu64 "}\n",
	       stats->refills, stats->flushes, stats->remote_allocs,
	       stats->remote_frees, stats->waits, stats->refused);
}

static void result_text(const struct report *report, const struct run *run,
                        const struct run_count *count,
                        const struct report_memory *memory,
                        const struct slabd_stats *stats)
{
	double cpu = cpu_s() - report->start_cpu_s;
	double done = (double)count->done;

	printf("%s  %s, %u threads\n", report->trace, report->backend,
	       run->n_workers);
	printf("  events      %" PRIu64 " in %.2f s, %.1f M/s, %.1f ns each "
	       "(%.1f ns of CPU)\n",
	       count->done, count->busy_s, ratio(done, count->busy_s) / 1e6,
	       ratio(count->busy_s * 1e9, done), ratio(cpu * 1e9, done));
	printf("  peak live   %.1f MiB asked for\n",
	       (double)count->peak_bytes / MIB);
	printf("  RSS         %.1f MiB at the start, %.1f MiB peak, and "
	       "%.1f MiB of hugepages\n",
	       (double)memory->rss_start_bytes / MIB,
	       (double)memory->rss_peak_bytes / MIB,
	       (double)memory->hugetlb_bytes / MIB);
	printf("  over 2 MiB  %" PRIu64 " objects, from malloc\n",
	       count->large);
	if (report->client_id)
		printf("  slabd       client %u: %" PRIu64 " refills, %" PRIu64
		       " flushes, %" PRIu64 " from and %" PRIu64
		       " to another node, %" PRIu64 " waits\n",
		       report->client_id, stats->refills, stats->flushes,
		       stats->remote_allocs, stats->remote_frees, stats->waits);
	printf("  mismatches  %" PRIu64 ", %" PRIu64 " frees refused\n",
	       count->mismatches, stats->refused);
}

void report_result(const struct report *report, const struct run *run,
                   const struct run_count *count,
                   const struct report_memory *memory,
                   const struct slabd_stats *stats)
{
	if (report->json)
		result_json(report, run, count, memory, stats);
	else
		result_text(report, run, count, memory, stats);
}
