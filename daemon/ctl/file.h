/* SPDX-License-Identifier: MIT */
/* Small text files of slabctl's own: read, and replaced whole or not at all. */
#ifndef DAEMON_CTL_FILE_H
#define DAEMON_CTL_FILE_H

#include <stddef.h>

/* What a file says; "" where it is not there. 0, or -1 where it is something else
 * than a file, can't be read, or is larger. */
int ctl_file_read(const char *path, char *text, size_t size);

/* The text takes the file's place, and is on the disk. 0, or -1 with errno. */
int ctl_file_replace(const char *path, const char *text);

/* What helps against such an errno of the latter, or else otherwise. */
const char *ctl_file_remedy(int error, const char *otherwise);

#endif
