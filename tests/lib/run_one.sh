#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs one test under a time limit, so that a hang is a failure with a name.
# Unit tests write TAP to the descriptor that make reads, and all else that
# they and their children print goes to the log.
# Those that reserve hugepages run one after the other, of all builds and trees
# on a machine, as the machine's counts are no test's own: its file of them is
# what they lock. slabd locks another.
limit=${SLABD_TEST_SECONDS:-900}
jobs=
prog=$1
shift
stem=${prog##*/}
case " ${SLABD_HUGEPAGE_TESTS:-} " in
*" $stem "*)
	if command -v flock >/dev/null 2>&1; then
		counts=/proc/sys/vm/nr_hugepages
		[ ! -r $counts ] || { exec 9<$counts && flock 9; }
		jobs=--jobs=1
	fi
	;;
esac
case $stem in
*.sh) timeout -k 5 "$limit" "$prog" "$@" 9>&- ;;
test_* | sys_*) timeout -k 5 "$limit" "$prog" --tap=/dev/fd/3 $jobs "$@" 3>&1 1>&2 9>&- ;;
*) timeout -k 5 "$limit" "$prog" "$@" 9>&- ;;
esac
status=$?
if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
	echo "Bail out! $stem was still running after $limit s"
fi
exit "$status"
