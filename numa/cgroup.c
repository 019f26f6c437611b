/* SPDX-License-Identifier: MIT */
#include "numa/cgroup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define RESERVE_BYTES (6 * MIB)
#define RESERVE_MOST (128 * MIB)
/* The first version's word for none is the largest number of whole pages. */
#define NO_LIMIT (UINT64_C(1) << 60)

/* A group's folder; what is below its first `top` bytes are groups, too. */
struct group {
	char folder[CGROUP_PATH];
	size_t top;
	bool second;      /* of the second version */
	bool counts_huge; /* as memory */
};

/* ---- where ---------------------------------------------------------------- */

static FILE *open_text(const char *folder, const char *name)
{
	char path[CGROUP_PATH + 64];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return fopen(path, "re");
}

/* Whether a list with commas has a word. */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);
	while (list != NULL) {
		if (strncmp(list, word, len) == 0 &&
		    (list[len] == ',' || list[len] == '\0'))
			return true;
		list = strchr(list, ',');
		list += list != NULL;
	}
	return false;
}

/* Splits a line "id:controllers:path" and takes its path if it is a group of
 * the first version with that controller, or of the second one. */
static bool take_line(char *line, const char *controller, bool second,
                      char path[CGROUP_PATH])
{
	char *list = strchr(line, ':');
	char *at = list != NULL ? strchr(list + 1, ':') : NULL;
	if (at == NULL)
		return false;
	*at++ = '\0';
	list++;
	at[strcspn(at, "\n")] = '\0';
	if (second ? *list != '\0' : !has_word(list, controller))
		return false;
	return snprintf(path, CGROUP_PATH, "%s", at) < (int)CGROUP_PATH;
}

static bool find_path(const char *proc, const char *controller, bool second,
                      char path[CGROUP_PATH])
{
	FILE *file = open_text(proc, "cgroup");
	char *line = NULL;
	size_t bytes = 0;
	bool found = false;
	while (file != NULL && !found && getline(&line, &bytes, file) > 0)
		found = take_line(line, controller, second, path);
	free(line);
	if (file != NULL)
		fclose(file);
	return found;
}

/* The kernel writes blanks and the like as \040. */
static void unescape(char *text)
{
	char *to = text;
	for (; *text != '\0'; text++) {
		unsigned code;
		if (sscanf(text, "\\%3o", &code) == 1 && code < 256) {
			*to++ = (char)code;
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* What of a group's path is below the root of a mount; NULL: it is not. A root
 * above our namespace is a group above ours, whose limits are ours too. */
static const char *below(const char *path, const char *root)
{
	size_t len = strlen(root);
	if (strncmp(root, "/..", 3) == 0)
		return root[strspn(root, "/.")] == '\0' ? "" : NULL;
	if (strncmp(path, "/..", 3) == 0)
		return NULL;
	if (strcmp(root, "/") == 0)
		return strcmp(path, "/") == 0 ? "" : path;
	if (strncmp(path, root, len) != 0 ||
	    (path[len] != '/' && path[len] != '\0'))
		return NULL;
	return path + len;
}

/* A line of mountinfo: "id parent dev root point options [tags] - type source
 * options". */
static bool is_mounted(char *line, const char *controller, const char *path,
                       struct group *out)
{
	char root[CGROUP_PATH];
	char point[CGROUP_PATH];
	char type[16];
	char options[CGROUP_PATH];
	const char *rest;
	char *tail = strstr(line, " - ");
	if (tail == NULL ||
	    sscanf(line, "%*s %*s %*s %511s %511s", root, point) != 2 ||
	    sscanf(tail, " - %15s %*s %511s", type, options) != 2)
		return false;
	if (strcmp(type, out->second ? "cgroup2" : "cgroup") != 0 ||
	    (!out->second && !has_word(options, controller)))
		return false;
	unescape(root);
	unescape(point);
	rest = below(path, root);
	if (rest == NULL || snprintf(out->folder, sizeof(out->folder), "%s%s",
	                             point, rest) >= (int)sizeof(out->folder))
		return false;
	out->top = strlen(point);
	out->counts_huge = has_word(options, "memory_hugetlb_accounting");
	return true;
}

/* A controller is mounted with one version at a time: the first one if our
 * group is listed with it. */
static bool find_group(const char *proc, const char *controller,
                       struct group *out)
{
	char path[CGROUP_PATH];
	FILE *file;
	char *line = NULL;
	size_t bytes = 0;
	bool found = false;
	out->second = false;
	if (!find_path(proc, controller, false, path)) {
		out->second = true;
		if (!find_path(proc, controller, true, path))
			return false;
	}
	file = open_text(proc, "mountinfo");
	while (file != NULL && !found && getline(&line, &bytes, file) > 0)
		found = is_mounted(line, controller, path, out);
	free(line);
	if (file != NULL)
		fclose(file);
	return found;
}

/* ---- how much ------------------------------------------------------------- */

/* UINT64_MAX: no such file, or "max". */
static uint64_t read_number(const char *folder, const char *name)
{
	char path[CGROUP_PATH + 64];
	char text[32];
	char *end;
	ssize_t len;
	uint64_t number;
	int fd;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return UINT64_MAX;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[len < 0 ? 0 : len] = '\0';
	number = strtoull(text, &end, 10);
	return end == text || number >= NO_LIMIT ? UINT64_MAX : number;
}

/* Page cache that is neither dirty nor being written: the kernel drops it
 * before it kills. Our own files are not among it. */
static uint64_t reclaimable(const struct group *group)
{
	static const char *const names[] = {"active_file", "inactive_file",
	                                    "file_dirty", "file_writeback"};
	static const char *const firsts[] = {"total_active_file",
	                                     "total_inactive_file",
	                                     "total_dirty", "total_writeback"};
	const char *const *name = group->second ? names : firsts;
	FILE *file = open_text(group->folder, "memory.stat");
	uint64_t found[4] = {0};
	char key[64];
	uint64_t bytes;
	uint64_t clean;
	uint64_t dirty;
	while (file != NULL &&
	       fscanf(file, "%63s %" SCNu64 "\n", key, &bytes) == 2)
		for (unsigned i = 0; i < 4; i++)
			if (strcmp(key, name[i]) == 0)
				found[i] = bytes;
	if (file != NULL)
		fclose(file);
	clean = found[0] + found[1];
	dirty = found[2] + found[3];
	return clean > dirty ? clean - dirty : 0;
}

uint64_t cgroup_reserve(uint64_t limit_bytes)
{
	uint64_t bytes = RESERVE_BYTES + limit_bytes / 32;
	return bytes < RESERVE_MOST ? bytes : RESERVE_MOST;
}

/* The names of a controller's files in both versions. */
struct names {
	const char *controller;
	const char *limits[2][3];
	const char *used[2];
};

static const struct names memory = {
	"memory",
	{{"memory.limit_in_bytes", NULL, NULL},
         {"memory.max", "memory.high", NULL}},
	{"memory.usage_in_bytes", "memory.current"},
};
static const struct names huge_2m = {
	"hugetlb",
	{{"hugetlb.2MB.limit_in_bytes", NULL, NULL},
         {"hugetlb.2MB.max", NULL, NULL}},
	{"hugetlb.2MB.usage_in_bytes", "hugetlb.2MB.current"},
};
static const struct names huge_1g = {
	"hugetlb",
	{{"hugetlb.1GB.limit_in_bytes", NULL, NULL},
         {"hugetlb.1GB.max", NULL, NULL}},
	{"hugetlb.1GB.usage_in_bytes", "hugetlb.1GB.current"},
};

static void name_file(char path[CGROUP_PATH], const struct group *group,
                      const char *limit)
{
	size_t n = strlen(group->folder);
	memcpy(path, group->folder, n + 1);
	snprintf(path + n, CGROUP_PATH - n, "/%s", limit);
}

/* One limit of one group; the statistics are read only where it is near. */
static void look_at(const struct group *group, const char *limit,
                    const struct names *names, struct cgroup_room *out)
{
	bool is_memory = names == &memory;
	uint64_t most = read_number(group->folder, limit);
	uint64_t used;
	uint64_t kept;
	uint64_t room;
	if (most == UINT64_MAX)
		return;
	used = read_number(group->folder, names->used[group->second]);
	if (used == UINT64_MAX)
		return;
	kept = is_memory ? cgroup_reserve(most) : 0;
	if (is_memory && used + kept + most / 4 >= most) {
		uint64_t clean = reclaimable(group);
		used -= clean < used ? clean : used;
	}
	room = used + kept < most ? most - used - kept : 0;
	if (most < out->least_bytes) {
		out->least_bytes = most;
		name_file(out->least_file, group, limit);
	}
	if (out->file[0] != '\0' && room >= out->room_bytes)
		return;
	out->room_bytes = room;
	out->limit_bytes = most;
	out->used_bytes = used;
	out->reserve_bytes = kept;
	name_file(out->file, group, limit);
}

/* From our own group up to where its hierarchy is mounted. */
static void climb(struct group *group, const struct names *names,
                  struct cgroup_room *out)
{
	for (;;) {
		const char *const *limit = names->limits[group->second];
		char *slash;
		for (; *limit != NULL; limit++)
			look_at(group, *limit, names, out);
		slash = strrchr(group->folder, '/');
		if (slash == NULL || slash < group->folder + group->top)
			return;
		*slash = '\0';
	}
}

void cgroup_look(const char *proc, enum cgroup_what what,
                 struct cgroup_room *out)
{
	static const struct names *const all[] = {
		[CGROUP_MEMORY] = &memory,
		[CGROUP_HUGE_2M] = &huge_2m,
		[CGROUP_HUGE_1G] = &huge_1g,
	};
	struct group group;
	if (proc == NULL)
		proc = "/proc/self";
	*out = (struct cgroup_room){.room_bytes = UINT64_MAX,
	                            .limit_bytes = UINT64_MAX,
	                            .least_bytes = UINT64_MAX};
	if (find_group(proc, all[what]->controller, &group))
		climb(&group, all[what], out);
	/* Where hugepages are charged as memory, too. */
	if (what != CGROUP_MEMORY && find_group(proc, "memory", &group) &&
	    group.second && group.counts_huge)
		climb(&group, &memory, out);
}
