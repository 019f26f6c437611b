/* SPDX-License-Identifier: MIT */
/* The kinds of pages that a pool's data may lie on, best first. */
#ifndef NUMA_BACKING_KIND_H
#define NUMA_BACKING_KIND_H

#include <stdbool.h>

enum backing_kind { BACKING_1G, BACKING_2M, BACKING_THP, BACKING_4K };

/* "1g", "2m", "thp", "4k". */
const char *backing_kind_name(enum backing_kind kind);

/* "1 GiB" or "2 MiB". */
const char *backing_kind_page(enum backing_kind kind);

bool backing_kind_is_hugetlb(enum backing_kind kind);

/* The unit of page numbers: 30 or 21. */
unsigned backing_kind_shift(enum backing_kind kind);

#endif
