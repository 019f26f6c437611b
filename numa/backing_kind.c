/* SPDX-License-Identifier: MIT */
#include "numa/backing_kind.h"

const char *backing_kind_name(enum backing_kind kind)
{
	static const char *const names[] = {"1g", "2m", "thp", "4k"};
	return names[kind];
}

const char *backing_kind_page(enum backing_kind kind)
{
	return kind == BACKING_1G ? "1 GiB" : "2 MiB";
}

bool backing_kind_is_hugetlb(enum backing_kind kind)
{
	return kind == BACKING_1G || kind == BACKING_2M;
}

unsigned backing_kind_shift(enum backing_kind kind)
{
	return kind == BACKING_1G ? 30 : 21;
}
