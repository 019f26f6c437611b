/* SPDX-License-Identifier: MIT */
/* The page of daemon/admin/page.html, and what it may load, as page.sh makes them
 * into page.c. */
#ifndef DAEMON_ADMIN_PAGE_H
#define DAEMON_ADMIN_PAGE_H

#include <stddef.h>

extern const char page_html[];
extern const size_t page_html_bytes;

/* Of Content-Security-Policy: its own style and script, which it names by their
 * digests, and documents of where it came from. */
extern const char page_policy[];

#endif
