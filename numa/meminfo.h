/* SPDX-License-Identifier: MIT */
/*
 * What the kernel offers besides hugetlb: whether shared memory may get
 * transparent hugepages, and how much memory a node has to give. sysfs and
 * os_node as in huge.h.
 */
#ifndef NUMA_MEMINFO_H
#define NUMA_MEMINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if memory advised so gets transparent hugepages; else why not, and the
 * command that changes it ("" if none does). */
bool meminfo_thp(const char *sysfs, char *reason, size_t reason_bytes,
              char *remedy, size_t remedy_bytes);

/* Memory that can be filled without the kernel killing anybody for it: free
 * and page cache, less a margin. UINT64_MAX if the kernel does not say. */
uint64_t meminfo_bytes(const char *sysfs, unsigned os_node);

#endif
