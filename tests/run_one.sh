#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs one test under a time limit, so that a hang is a failure with a name.
# Unit tests write TAP to the descriptor that make reads, and all else that
# they and their children print goes to the log.
limit=${SLABD_TEST_SECONDS:-120}
prog=$1
shift
case ${prog##*/} in
*.sh) timeout -k 5 "$limit" "$prog" "$@" ;;
test_*) timeout -k 5 "$limit" "$prog" --tap=/dev/fd/3 "$@" 3>&1 1>&2 ;;
*) timeout -k 5 "$limit" "$prog" "$@" ;;
esac
status=$?
if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
	echo "Bail out! ${prog##*/} was still running after $limit s"
fi
exit "$status"
