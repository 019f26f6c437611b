#!/bin/sh
# SPDX-License-Identifier: MIT
# slab-record: what programs whose calls are known do is in their traces, event by
# event, and what real programs do can be replayed; whatever they do besides (fork,
# exec, close all, be killed) spoils no trace. Prints TAP; no arguments.
. "$(dirname "$0")/../lib/shell.sh"
recorder=$builddir/record/slab-record
recorded=$builddir/tests/system/recorded
events=$builddir/tests/system/recorded_events
replay=$builddir/tests/replay/replay
to_show="err out"
program=
at_end() {
	[ -z "$program" ] || kill -KILL "$program"
}

[ -z "${SLABD_SANITIZER:-}" ] || skip_all "a sanitizer has an allocator of its own"
[ -x "$recorder" ] ||
	skip_all "slab-record is not built: no libzstd, or no shared library"
cd "$here" || exit 99
unset LD_PRELOAD SLAB_RECORD

# record STATUS WORDS: slab-record ends so; what it and the program say is kept.
record() {
	want=$1
	shift
	timeout 300 "$recorder" "$@" >"$here/said" 2>"$here/err"
	got=$?
	[ $got = "$want" ] || echo "# exit status $got, not $want"
	[ $got = "$want" ]
}

says() {
	grep -q -e "$1" "$here/err"
}

# Nothing in the trace was made up for what was not seen.
is_exact() {
	! grep -e 'without' -e 'past the recorder' -e overwritten "$here/err"
}

# between TRACE: the events between the marks, numbered from 0.
between() {
	"$events" "$1" marked >"$here/out" 2>&1 || return
	awk '$1 == "a" { nr[$4] = k++; print "a", $2, $3, nr[$4] }
		$1 == "f" { print "f", $2, nr[$3] }' "$here/out" >"$here/events"
}

# ---- every call ----------------------------------------------------------------
record 0 -o exact.trace "$recorded" exact && is_exact && between exact.trace
result $? "a program of each call is recorded"
cat >want <<'EOF'
a 1 100 0
a 1 21 1
f 1 0
a 1 1000 2
f 1 1
f 1 2
a 1 1000 3
f 1 3
a 1 300 4
f 1 4
a 1 40 5
f 1 5
a 1 50 6
f 1 6
a 1 640 7
f 1 7
a 1 70 8
f 1 8
a 1 80 9
f 1 9
a 1 13 10
f 1 10
a 1 0 11
f 1 11
a 1 90 12
f 1 12
EOF
diff want events >out
result $? "event by event; a realloc that failed leaves its object"
record 0 -o exact.trace.zst "$recorded" exact && between exact.trace.zst &&
	cmp -s want events && zstd_size=$(wc -c <exact.trace.zst) &&
	[ "$zstd_size" -lt "$(wc -c <exact.trace)" ]
result $? "the same, compressed"
record 0 "$recorded" exact && between recorded.trace.zst && cmp -s want events
result $? "a file of the program's name where none is given"
record 0 -o large.trace "$recorded" large && between large.trace &&
	grep -q '^a 1 4294967295 ' events
status=$?
if "$recorded" large; then
	result $status "5 GiB stand as the most that a trace can say"
else
	skip "5 GiB stand as the most that a trace can say" "this machine gives no 5 GiB"
fi

# ---- threads --------------------------------------------------------------------
record 0 -o threads.trace.zst "$recorded" threads && is_exact && between threads.trace.zst
result $? "threads are recorded"
awk '$1 == "a" && $3 == 48 { by[$4] = $2; made++ }
	$1 == "f" && $3 in by && $2 != by[$3] { crossed++ }
	{ seen[$2] } END { for (t in seen) k++
	print made, crossed, k; exit !(crossed == 20000 && k >= 6) }' events >out
result $? "20000 objects end in another thread, of six"
record 0 -o many.trace.zst "$recorded" many 3000000 && between many.trace.zst &&
	[ "$(wc -l <events)" = 6000000 ]
result $? "a ring's events several times over: not one is lost"

# ---- fork and exec ---------------------------------------------------------------
for fork in fork _Fork; do
	record 0 -o $fork.trace "$recorded" $fork && between $fork.trace &&
		grep -q '^a 1 444 ' events && ! grep -q '^a [0-9]* 555 ' events
	result $? "$fork: the child is not in its parent's trace"
	[ "$(echo $fork.*)" = $fork.trace ]
	result $? "nor in another"
done
record 3 -o vfork.trace "$recorded" vfork-exec && "$events" vfork.trace >out
result $? "posix_spawn"
record 0 -o exec.trace "$recorded" exec "$recorded" exact && between exec.trace &&
	[ "$(wc -l <events)" = 2000 ] && [ "$(echo exec.*)" = exec.trace ]
result $? "exec: the trace is of the first program"
record 0 -o env.trace sh -c 'echo "${LD_PRELOAD-none} ${SLAB_RECORD-none}"' &&
	[ "$(cat said)" = "none none" ]
result $? "what is started finds an environment without the recorder"
mkdir f && record 0 -f -o f/x.trace "$recorded" exec "$recorded" fork
status=$?
ls f >out
[ $status = 0 ] && [ "$(ls f | wc -l)" = 3 ]
result $? "--follow: a file for each program and each child"
for trace in f/x.*.trace; do
	between "$trace" && grep -q '^a 1 555 ' events && echo child
	between "$trace" && grep -q '^a 1 444 ' events && echo parent
done >who
[ "$(LC_ALL=C sort who | tr '\n' ' ')" = "child parent " ]
result $? "and each has its own"
mkdir d && record 0 -f -o d/x.trace.zst "$recorded" daemon &&
	between "$(echo d/x.*.trace.zst)" && [ "$(wc -l <events)" = 2000 ]
result $? "--follow: a daemon to its end"

if unshare -pf true 2>out; then
	mkdir p && record 0 -f -o p/x.trace unshare -pf "$recorded" exact &&
		[ "$(echo p/*)" = p/x.trace ]
	result $? "--follow: not into a PID namespace"
else
	skip "--follow: not into a PID namespace" "no right to make one"
fi

# ---- ends --------------------------------------------------------------------------
record 9 -o e.trace "$recorded" exit
result $? "the program's exit status"
record 127 -o none.trace ./nothing && says 'nothing: No such file' && [ ! -e none.trace ]
result $? "127 for a program that is not there, and no file is made"
echo mine >kept.trace
record 126 -o kept.trace /etc/passwd && says 'Permission denied' &&
	[ "$(cat kept.trace)" = mine ]
result $? "126 for one that can't be run, and a file is as it was"
printf '#!/bin/sh\nexec "$@"\n' >script
chmod +x script
record 0 -o script.trace ./script "$recorded" exact &&
	says './script is a script: that is its interpreter alone' &&
	PATH=$PWD:$PATH record 0 -f -o script.trace script "$recorded" exact &&
	! says 'is a script' && [ -s script.[0-9]*.trace ]
result $? "of a script it is said that its shell was recorded; --follow has the rest"
record 0 -o closes.trace "$recorded" closes && between closes.trace &&
	[ "$(wc -l <events)" = 2000 ]
result $? "a program that closes all descriptors"
record 0 -n 500 -o limit.trace "$recorded" many 20000 && says '500 events of --limit' &&
	"$events" limit.trace >out && [ "$(wc -l <out)" = 500 ]
result $? "--limit"

# until FILE: the program says that it is ready.
until_ready() {
	tries=0
	until grep -q ready "$1" 2>/dev/null || [ $tries -ge 600 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
}

child_of() {
	ps -o pid= --ppid "$1" | tr -d ' '
}

for round in 1 2 3; do
	"$recorder" -o killed$round.trace.zst \
		"$recorded" killed >ready$round 2>err &
	until_ready ready$round
	kill -KILL "$(child_of $!)"
	wait $!
	[ $? = 137 ] && is_exact && "$events" killed$round.trace.zst >out &&
		[ "$(wc -l <out)" -gt 1000 ]
	result $? "killed with threads at work, round $round: a whole trace, and 137"
done
"$recorder" -o left.trace.zst "$recorded" killed >left 2>err &
until_ready left
program=$(child_of $!)
tries=0
until [ "$(wc -c <left.trace.zst)" -gt 1000 ] || [ $tries -ge 600 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
kill -KILL $!
wait $! 2>/dev/null
"$events" left.trace.zst >out && [ "$(wc -l <out)" -gt 1000 ]
result $? "slab-record killed: what it wrote is a whole trace"
before=$(awk '{ print $14 }' "/proc/$program/stat")
tries=0
# Those that waited for room go on: their time in user mode grows.
until [ "$(awk '{ print $14 }' "/proc/$program/stat")" -gt $((before + 20)) ] ||
	[ $tries -ge 600 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
[ $tries -lt 600 ]
result $? "and the program goes on"
kill -KILL "$program"
program=

# ---- what can't be done ---------------------------------------------------------------
record 125 -o /nowhere/x.trace "$recorded" exit && says '/nowhere/x.trace: No such file'
result $? "a file that can't be made"
record 125 -o /dev/full "$recorded" many 10 && says '/dev/full: No space left'
result $? "no space: said, where the program ends well"
record 9 -o /dev/full "$recorded" exit && says 'No space left'
result $? "and else its own exit status"
(
	ulimit -f 40000
	record 125 -o cut.trace "$recorded" many 1500000
)
status=$?
[ $status = 0 ] && says 'cut.trace: File too large' && "$events" cut.trace >out
result $? "a file that may not grow is a whole trace"
(
	ulimit -f 100
	record 125 -o cut.trace "$recorded" many 10
)
[ $? = 0 ] && says 'above ulimit -f'
result $? "no room for what is shared: said"
if cc -static -o static "$srcdir/tests/system/recorded.c" -D_GNU_SOURCE \
	-I "$srcdir" 2>out; then
	record 9 -o static.trace ./static exit && says 'did not load the recorder'
	result $? "a static program: nothing is recorded, and why"
	record 125 -o static.trace ./static exact
	result $? "which is no success"
else
	skip "a static program: nothing is recorded, and why" "no static C library"
	skip "which is no success" "no static C library"
fi
for words in "" "--nope true" "--limit 0 true" "--limit x true" "--output - true" \
	"--library relative.so true" "--library /no/such.so true"; do
	# shellcheck disable=SC2086
	timeout 60 "$recorder" $words >said 2>err
	[ $? = 125 ] && says '^slab-record: '
	result $? "slab-record $words: refused, and said"
done
"$recorder" --help >out && grep -q '^usage: slab-record' out &&
	"$recorder" --version >out && grep -q '^slab-record [0-9]' out
result $? "--help and --version"

# ---- real programs ------------------------------------------------------------------------
replays() {
	is_exact && timeout 300 "$replay" --malloc --threads trace "$1" >out 2>&1
}

jemalloc=$(ls /usr/lib/*/libjemalloc.so.2 2>/dev/null | head -n 1)
if [ -n "$jemalloc" ]; then
	LD_PRELOAD=$jemalloc record 0 -o je.trace.zst "$recorded" exact all &&
		between je.trace.zst && head -n -2 want | cmp -s - events
	result $? "another allocator that is preloaded as well"
	LD_PRELOAD=$jemalloc record 0 -o jt.trace.zst "$recorded" threads && replays jt.trace.zst
	result $? "and with threads"
else
	skip "another allocator that is preloaded as well" "no libjemalloc.so.2"
	skip "and with threads" "no libjemalloc.so.2"
fi
if [ -x /usr/bin/python3 ]; then
	PYTHONMALLOC=malloc record 0 -o python.trace.zst /usr/bin/python3 -c '
import json, threading
def work():
    for i in range(300): json.loads(json.dumps([{"id": k} for k in range(20)]))
all = [threading.Thread(target=work) for i in range(4)]
[t.start() for t in all]; [t.join() for t in all]' && replays python.trace.zst
	result $? "python3 with threads, replayed"
else
	skip "python3 with threads, replayed" "not installed"
fi
if command -v sqlite3 >/dev/null; then
	record 0 -o sqlite.trace.zst sqlite3 :memory: 'create table t(a, b);
		with recursive c(i) as (select 1 union all select i + 1 from c where i < 9000)
		insert into t select i, hex(i) from c; create index x on t(b);
		select count(*) from t;' && [ "$(cat said)" = 9000 ] && replays sqlite.trace.zst
	result $? "sqlite3, replayed"
else
	skip "sqlite3, replayed" "not installed"
fi
echo "1..$n"
