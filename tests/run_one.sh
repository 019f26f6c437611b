#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs one test under a time limit, so that a hang is a failure with a name.
# Unit tests are told to print TAP; everything else prints nothing but TAP.
limit=${SLABD_TEST_SECONDS:-120}
prog=$1
shift
case ${prog##*/} in
test_*) set -- --tap "$@" ;;
esac
timeout -k 5 "$limit" "$prog" "$@"
status=$?
[ "$status" -eq 124 ] || [ "$status" -eq 137 ] &&
	echo "Bail out! ${prog##*/} was still running after $limit s"
exit "$status"
