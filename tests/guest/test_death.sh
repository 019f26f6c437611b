#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: four
# Deaths are noticed by the process, not by its socket. Linux 6.1, which this
# is on Debian 12, has no SO_PEERPIDFD, so slabd has its other way to a pidfd.
. ./lib.sh
used() {
	count caches '[.pools[].caches[].used] | add // 0'
}

dead() {
	[ "$(count status '[.pools[].deaths] | add')" = "$1" ]
}

start_slabd '[pool default]\nmax = 32M\nstart = 16M'
orphan >"$dir/orphan" 2>&1 &
parent=$!
within 100 grep -q '^child ' "$dir/orphan"
result $? "a client and its forked child" "$dir/orphan"
child=$(sed -n 's/^child //p' "$dir/orphan")
[ "$(used)" -ge 1000 ]
result $? "the client owns 1000 objects"
kill -KILL $parent
wait $parent 2>/dev/null
within 50 nothing_used
result $? "killed: its objects are free though its socket is still open"
kill -0 "$child"
result $? "for its child lives"
dead 1
result $? "one death is counted"
audit "after the death"
kill -KILL "$child"
stop_slabd
finish
