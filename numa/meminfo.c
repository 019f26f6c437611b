/* SPDX-License-Identifier: MIT */
#include "numa/meminfo.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "numa/huge.h"

#define MARGIN_BYTES (UINT64_C(32) << 20)

/* The chosen word of a file like "always [never] advise", "" if none. */
static void chosen_word(const char *path, char *word, size_t bytes)
{
	char text[160] = "";
	char *open;
	char *shut;
	FILE *file = fopen(path, "re");
	*word = '\0';
	if (!file)
		return;
	if (fgets(text, sizeof(text), file) && (open = strchr(text, '[')) &&
	    (shut = strchr(open, ']'))) {
		*shut = '\0';
		snprintf(word, bytes, "%s", open + 1);
	}
	fclose(file);
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

bool meminfo_thp(const char *sysfs, char *reason, size_t reason_bytes,
              char *remedy, size_t remedy_bytes)
{
	static const char *const willing[] = {"always", "within_size", "advise",
	                                      NULL};
	char whole[128];
	char sized[128];
	char word[32];
	char sized_word[32];
	const char *ruling = whole;
	bool inherits;
	bool forced;
	snprintf(whole, sizeof(whole),
	         "%.64s/kernel/mm/transparent_hugepage/shmem_enabled",
	         sysfs ? sysfs : "/sys");
	snprintf(sized, sizeof(sized),
	         "%.64s/kernel/mm/transparent_hugepage/hugepages-2048kB/"
	         "shmem_enabled",
	         sysfs ? sysfs : "/sys");
	chosen_word(whole, word, sizeof(word));
	chosen_word(sized, sized_word, sizeof(sized_word));
	*remedy = '\0';
	if (!*word) {
		snprintf(reason, reason_bytes,
		         "this kernel has no transparent "
		         "hugepages for shared memory");
		return false;
	}
	/* The size's own file rules unless it inherits or the whole is deny;
	 * force takes inherit alone for a yes. */
	inherits = !*sized_word || strcmp(sized_word, "inherit") == 0;
	forced = strcmp(word, "force") == 0;
	if (!inherits && strcmp(word, "deny") != 0) {
		ruling = sized;
		memcpy(word, sized_word, sizeof(word));
	}
	if (forced ? inherits : is_one_of(word, willing))
		return true;
	snprintf(reason, reason_bytes, "%s is %s", ruling, word);
	snprintf(remedy, remedy_bytes, "echo %s > %s",
	         forced ? "inherit" : "advise", ruling);
	return false;
}

/* Adds a line like "Node 0 MemFree:  12 kB" to the sum if its name is ours. */
static bool add_line(const char *line, const char *name, uint64_t *sum)
{
	const char *at = strstr(line, name);
	uint64_t kb;
	if (!at || (at != line && at[-1] != ' ') ||
	    sscanf(at + strlen(name), ": %" SCNu64 " kB", &kb) != 1)
		return false;
	*sum += kb << 10;
	return true;
}

static uint64_t sum_lines(FILE *file, const char *const *names)
{
	char line[160];
	uint64_t sum = 0;
	bool any = false;
	while (fgets(line, sizeof(line), file))
		for (unsigned i = 0; names[i]; i++)
			any |= add_line(line, names[i], &sum);
	if (!any)
		return UINT64_MAX;
	return sum > MARGIN_BYTES ? sum - MARGIN_BYTES : 0;
}

/* On a machine with one node the whole machine's figure is the better one: it
 * knows what can be reclaimed, and memory that the kernel has yet to set up. */
static bool is_only_node(const char *sysfs)
{
	char path[128];
	char text[64] = "";
	FILE *file;
	snprintf(path, sizeof(path), "%.64s/devices/system/node/has_memory",
	         sysfs);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(text, sizeof(text), file))
		*text = '\0';
	fclose(file);
	return *text && !strpbrk(text, ",-");
}

uint64_t meminfo_bytes(const char *sysfs, unsigned os_node)
{
	static const char *const node_names[] = {"MemFree", "Active(file)",
	                                         "Inactive(file)",
	                                         "SReclaimable", NULL};
	static const char *const whole_names[] = {"MemAvailable", NULL};
	const char *const *names = node_names;
	char path[128];
	uint64_t sum;
	FILE *file = NULL;
	if (!sysfs)
		sysfs = "/sys";
	if (os_node != HUGE_ANY_NODE && !is_only_node(sysfs)) {
		snprintf(path, sizeof(path),
		         "%.64s/devices/system/node/node%u/meminfo", sysfs,
		         os_node);
		file = fopen(path, "re");
	}
	if (!file) {
		names = whole_names;
		file = fopen("/proc/meminfo", "re");
	}
	if (!file)
		return UINT64_MAX;
	sum = sum_lines(file, names);
	fclose(file);
	return sum;
}
