#!/bin/sh
# SPDX-License-Identifier: MIT
# The files of the Debian that this runs in, but for those that packages may leave
# when they are purged: dpkg's own notes, logs, caches, and a system group; and for
# what the tests have there: arguments are paths of these.
set -- /proc /sys /dev /run /tmp /var/log /var/cache /var/lib/dpkg \
	'/etc/group*' '/etc/gshadow*' '/etc/passwd*' '/etc/shadow*' \
	/etc/.pwd.lock "$@"
for path; do
	set -- "$@" -path "$path" -o
	shift
done
find / -xdev \( "$@" -false \) -prune -o -print | sort
