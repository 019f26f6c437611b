#!/bin/sh
# SPDX-License-Identifier: MIT
# Somebody sets the time of day, by an hour ahead and by a day back, under slabd and
# its clients, and once more while no slabd runs; and the machine sleeps: ages, history
# and log tell the time that passed, and nothing waits for the clock to come to where it
# was.
. ./lib.sh

# What the screens say, in seconds: how old the client is, how long ago what was
# done was done, and how far back the history goes.
ages() {
	slabctl --json clients | jq '[.pools[].clients[].age_s] | max' >"$dir/age"
	slabctl --json log | jq '[.pools[] | .now_ms as $now | .events[] |
		($now - .at_ms, $now - .last_ms) / 1000] | min, max' >>"$dir/age"
	slabctl --json history | jq '[.pools[].points[].ago_s] | min, max' \
		>>"$dir/age"
}

# All of them are between nothing and the time since the machine was started.
ages_are_true() {
	ages
	[ "$(wc -l <"$dir/age")" -eq 5 ] && awk -v most="$(seconds)" '
		$1 == "null" || $1 < 0 || $1 > most + 1 { bad = 1 }
		END { exit bad }' "$dir/age"
}

# ahead SECONDS: sets the time of day.
ahead() {
	date -s "@$(($(date +%s) + $1))" >/dev/null
}

# The history's points follow each other, and the last is of now.
history_is_in_order() {
	slabctl --json history | jq -e '[.pools[].points[].ago_s] |
		length > 0 and . == (sort | reverse)' >/dev/null &&
	slabctl --json history | jq -e --argjson now "$(date +%s)" '
		[.pools[].points[].at_ms / 1000 - $now] | max |
		. > -120 and . < 120' >/dev/null
}

# said FILE TIMES: so many bursts are over.
said() {
	[ "$(grep -c freed "$1")" = "$2" ]
}

# bursts N: the client goes on, and gets all.
bursts() {
	echo >&3
	within 300 said "$dir/burst" "$1"
	result $? "$2" "$dir/burst"
}

looks() {
	ages_are_true
	result $? "$1: ages are of the time that passed" "$dir/age"
	history_is_in_order
	result $? "$1: the history is in order, and its end is now"
}

printf '[pool default]\nmax = 32M\nstart = 4M\n' >"$dir/slabd.conf"
slabd --supervise --config "$dir/slabd.conf" >"$dir/log" 2>&1 &
slabd_pid=$!
within 200 answers
result $? "a supervised slabd starts" "$dir/log"
mkfifo "$dir/go"
burst default 20 4 <"$dir/go" >"$dir/burst" 2>&1 &
client=$!
exec 3>"$dir/go"
bursts 1 "a burst"
slabctl trim >"$dir/trim" 2>&1
result $? "what it left goes back" "$dir/trim"
looks "before"
ahead 3600
looks "an hour ahead"
bursts 2 "a burst after that"
ahead -86400
looks "a day back"
bursts 3 "a burst after that"
slabctl trim >"$dir/trim" 2>&1
result $? "a trim after that" "$dir/trim"
looks "and after more was done"

# Its memory, history and log outlive slabd, and the clock is set meanwhile.
before=$(count log '[.pools[].events[]] | length')
old=$(count status .pid)
kill -STOP $slabd_pid
kill -KILL "$old"
ahead 7200
kill -CONT $slabd_pid
within 300 answers
result $? "slabd is back" "$dir/log"
looks "set while no slabd ran"
[ "$(count log '[.pools[].events[]] | length')" -ge "$before" ]
result $? "the log still has what was done"
bursts 4 "a burst of the same client"

# The machine sleeps for longer than a slabd may be silent, which is no time for those
# who sleep with it. An alarm that comes too early has it not begin.
sleeps() {
	woken=$(cat /sys/power/wakeup_count) &&
		echo "+$1" >/sys/class/rtc/rtc0/wakealarm &&
		echo "$woken" >/sys/power/wakeup_count &&
		echo mem >/sys/power/state
}
if grep -qw mem /sys/power/state && [ -e /sys/class/rtc/rtc0/wakealarm ]; then
	old=$(count status .pid)
	slept=$(seconds)
	sleeps 40 2>"$dir/sleeps"
	result $? "the machine sleeps" "$dir/sleeps"
	[ "$(seconds)" -ge $((slept + 30)) ]
	result $? "for longer than the watchdog waits"
	looks "awake again"
	bursts 5 "a burst after that"
	equal "by the same slabd" "$old" "$(count status .pid)"
fi
audit "in the end"
exec 3>&-
wait $client
result $? "the client ends well" "$dir/burst"
stop_slabd
finish
