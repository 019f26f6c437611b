#!/bin/sh
# SPDX-License-Identifier: MIT
# What who operates slabd meets at a terminal where something is not as it should
# be. Prints TAP; no arguments.
. "$(dirname "$0")/../lib/shell.sh"

# ---- what is wrong with a configuration is said ---------------------------------

# Its end waits for a file that takes lines slowly.
title="what is wrong with the configuration is in a file that is slow, too"
cat >"$here/slow.c" <<'END'
#include <sys/syscall.h>
#include <unistd.h>
ssize_t write(int fd, const void *bytes, size_t n)
{
	if (fd == STDERR_FILENO)
		usleep(100000);
	return syscall(SYS_write, fd, bytes, n);
}
END
if [ -n "${SLABD_SANITIZER:-}" ]; then
	skip "$title" "a sanitizer is to be loaded first"
elif ! "${CC:-cc}" -shared -fPIC -o "$here/slow.so" "$here/slow.c" 2>"$here/out"; then
	skip "$title" "nothing to compile with"
else
	echo "[nonsense]" >"$here/conf"
	LD_PRELOAD=$here/slow.so "$builddir/daemon/slabd" --check-config \
		--config "$here/conf" >"$here/out" 2>"$here/said"
	[ $? = 2 ] && grep -q 'conf:1: section \[nonsense\] is unknown' \
		"$here/said"
	result $? "$title"
fi

# ---- what is watched ends where there is nothing to watch -----------------------

# ends OUTPUT SAYS TITLE ARGUMENTS...: with status 1.
ends() {
	output=$1
	says=$2
	title=$3
	shift 3
	timeout 60 "$builddir/daemon/slabctl" "$@" >"$output" 2>"$here/out"
	[ $? = 1 ] && grep -q "$says" "$here/out"
	result $? "$title"
}

for verb in status doctor audit; do
	ends /dev/null "no slabd at" "$verb is not watched where no slabd is" \
		--watch=1 $verb --control "$here/none"
done
configure 16M 4M
start
for verb in status doctor audit; do
	ends /dev/full "can't write the output" "nor $verb where nobody sees it" \
		--watch=1 $verb --control "$here/c"
done

# ---- what a restart does to clients depends on who keeps the pools ---------------

# doctor_has TEXT: in one line, as it is wrapped.
doctor_has() {
	ctl doctor | tr -s ' \n' ' ' | grep -q "$1"
}

configure 16M 8M
kill -HUP "$pid"
until_true doctor_has "start = 8 MiB in slabd.conf waits for a start of slabd"
doctor_has "do: restart slabd once its clients have ended: nobody keeps its pools"
result $? "of a slabd that nobody supervises the doctor says that its pools end"
stop
configure 16M 4M
start --supervise
configure 16M 8M
kill -HUP "$pid"
until_true doctor_has "start = 8 MiB in slabd.conf waits for a start of slabd"
doctor_has "do: restart slabd, which clients do not notice"
result $? "and of one that is supervised that they go on"
stop
result $? "which stops"

finish
