#!/bin/bash
# SPDX-License-Identifier: MIT
# The main job, shown: slabd, four worker processes on recorded traces, one of
# them killed, slabd killed, and the audit. Called by ./dev demo, with the build
# folder in builddir.
set -u
export LC_ALL=C

help() {
	cat <<'EOF'
Usage: ./dev demo [--nodes N] [--seconds S]

Starts slabd in a folder of its own, replays the recorded allocations of four
real programs in four worker processes that share its memory, kills one of
them midway and then slabd itself, which comes back, and audits the pool.

  --nodes N    simulate a machine of N NUMA nodes, 1 to 16 (this machine's own)
  --seconds S  how long the workers shall take, roughly, 5 to 300 (15)
  --help       this text

Needs no root. Exit status: 0 if slabctl audit agrees, no worker saw a byte
change, all that the killed worker held came back, and so did slabd and the
workers to it; else 1.
EOF
}

# refuse WHAT: a bad argument.
refuse() {
	echo "demo: $1; see --help" >&2
	exit 2
}

# number WHAT TEXT LOW HIGH
number() {
	if ! [[ $2 =~ ^[0-9]{1,4}$ ]] || ((10#$2 < $3 || 10#$2 > $4)); then
		refuse "$1 \"$2\": a whole number, $3 to $4"
	fi
}

nodes='' seconds=15
while (($#)); do
	case $1 in
	--help | -h) help && exit 0 ;;
	--nodes | --seconds)
		(($# > 1)) || refuse "$1 takes a number"
		if [[ $1 = --nodes ]]; then
			number "$1" "$2" 1 16
			nodes=$((10#$2))
		else
			number "$1" "$2" 5 300
			seconds=$((10#$2))
		fi
		shift 2
		;;
	*) refuse "unknown argument \"$1\"" ;;
	esac
done

root=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-${builddir:-$root}}
slabd=$build/daemon/slabd
slabctl=$build/daemon/slabctl
replay=$build/tests/replay/replay
for program in "$slabd" "$slabctl" "$replay"; do
	[[ -x $program ]] || {
		echo "demo: $program is missing: run ./dev demo, which builds it" >&2
		exit 1
	}
done
command -v jq >/dev/null || {
	echo "demo: jq is missing (Debian: apt-get install jq)" >&2
	exit 1
}

# ---- what is left behind: nothing ------------------------------------------
dir=$(mktemp -d "${TMPDIR:-/tmp}/slabd-demo.XXXXXX") || exit 1
export SLABD_SOCKET=$dir/slabd.sock
control=$dir/control.sock
slabd_pid=
pids=()
faults=()

# ended PID: no such process, or one that nobody has asked for its end.
ended() {
	local state
	state=$(sed -n 's/^State:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null)
	[[ -z $state || $state = Z* ]]
}

# within TENTHS COMMAND...: runs it until it succeeds.
within() {
	local tenths=$1
	shift
	until "$@"; do
		((--tenths > 0)) || return 1
		sleep 0.1
	done
}

clean_up() {
	local pid
	trap - EXIT
	for pid in "${pids[@]}"; do
		[[ -n $pid ]] || continue
		{ kill -KILL "$pid" && wait "$pid"; } 2>/dev/null
	done
	if [[ -n $slabd_pid ]]; then
		kill -TERM "$slabd_pid" 2>/dev/null
		within 50 ended "$slabd_pid" ||
			kill -KILL "$slabd_pid" 2>/dev/null
	fi
	rm -rf "$dir"
}
trap clean_up EXIT
trap 'echo; echo "demo: interrupted" >&2; exit 1' INT TERM HUP

# ---- words -----------------------------------------------------------------
terminal='' bold='' plain='' erase=''
if [[ -t 1 ]]; then
	terminal=1 erase=$'\r\e[K'
	[[ ${TERM:-dumb} = dumb || -n ${NO_COLOR:-} ]] ||
		bold=$'\e[1m' plain=$'\e[0m'
fi

title() {
	printf '%s\n%s== %s%s\n' "$erase" "$bold" "$1" "$plain"
}

# fault TEXT: what makes the demo fail in the end.
fault() {
	faults+=("$1")
	printf '%s!! %s\n' "$erase" "$1"
}

give_up() {
	fault "$1"
	[[ ! -s $dir/slabd.log ]] || tail -n 20 "$dir/slabd.log"
	exit 1
}

# millions N: 12345678 -> 12.3
millions() {
	echo "$(($1 / 1000000)).$(($1 / 100000 % 10))"
}

ctl() {
	"$slabctl" --control "$control" "$@"
}

# count FILTER: a number out of slabctl --json; nothing if there is no answer.
count() {
	ctl --json "$1" 2>/dev/null | jq -r "$2" 2>/dev/null
}

answers() {
	ctl status >/dev/null 2>&1
}

hugepages() {
	cat /proc/sys/vm/nr_hugepages 2>/dev/null || echo 0
}

now_ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# ---- slabd -----------------------------------------------------------------
start_slabd() {
	local config=/dev/null from took
	if [[ -n $nodes ]]; then
		config=$dir/slabd.conf
		printf '[slabd]\ntopology = node:%d core:1 pu:1\n' "$nodes" \
			>"$config"
		printf '[pool default]\nmax = 256M\n' >>"$config"
	fi
	from=$(now_ms)
	"$slabd" --supervise --foreground --config "$config" \
		--socket "$SLABD_SOCKET" --control "$control" \
		>"$dir/slabd.log" 2>&1 &
	slabd_pid=$!
	within 200 slabd_settled || give_up "slabd did not answer within 20 s"
	answers || give_up "slabd ended at its start:"
	took=$(($(now_ms) - from))
	title "slabd --supervise: pid $slabd_pid, answering after $took ms"
	ctl status
}

slabd_settled() {
	answers || ended "$slabd_pid"
}

# ---- four workers ----------------------------------------------------------
names=() traces=() threads=() loops=() one=() total=() banked=() done_=()
part=()

pick_traces() {
	local data=${SLABD_TRACES:-$root/../shared/traces} name
	if [[ -r $data/gateway.trace.zst && -r $data/sqlite.trace.zst &&
		-r $data/nginx.trace.zst && -r $data/mariadb.trace.zst ]]; then
		names=(gateway sqlite nginx mariadb)
		for name in "${names[@]}"; do
			traces+=("$data/$name.trace.zst")
		done
	else
		names=(gateway mariadb gateway-2 mariadb-2)
		for name in gateway mariadb gateway mariadb; do
			traces+=("$root/tests/data/$name-cut.trace.zst")
		done
	fi
	for name in "${names[@]}"; do
		[[ $name = mariadb* ]] && threads+=(trace) || threads+=(2)
	done
}

# Replays each trace with malloc once, so that the work fits this machine.
size_work() {
	local i events cpu_ms share
	share=$((1000 * seconds * $(nproc) / 4))
	((share <= 2000 * seconds)) || share=$((2000 * seconds))
	for i in "${!names[@]}"; do
		"$replay" --malloc --json --threads "${threads[i]}" \
			"${traces[i]}" >"$dir/malloc" || give_up "no replay"
		read -r events cpu_ms <<<"$(jq -r \
			'"\(.events) \(.cpu_s * 1000 | floor)"' "$dir/malloc")"
		one[i]=$events
		loops[i]=$((share / (cpu_ms + 1) + 1))
		total[i]=$((events * loops[i]))
		banked[i]=0 done_[i]=0 part[i]=0
	done
}

start_worker() {
	local i=$1 spread=()
	[[ -z $nodes ]] ||
		spread=(--spread --nodes "$(seq -s, 0 $((nodes - 1)))")
	part[i]=$((part[i] + 1))
	"$replay" --json --threads "${threads[i]}" --loops "${loops[i]}" \
		--seconds $((seconds * 2)) "${spread[@]}" \
		--progress-file "$dir/progress.$i.${part[i]}" "${traces[i]}" \
		>"$dir/result.$i" 2>"$dir/errors.$i" &
	pids[i]=$!
}

start_workers() {
	local i note
	title "four worker processes, one shared pool"
	for i in "${!names[@]}"; do
		start_worker "$i"
		note="${threads[i]} threads"
		[[ ${threads[i]} != trace ]] || note="the trace's threads"
		printf '  %-10s pid %-8d %-20s %5d times  %8s M events\n' \
			"${names[i]}" "${pids[i]}" "$note" "${loops[i]}" \
			"$(millions "${total[i]}")"
	done
	printf '\n  millions of events done, and the share of each worker:\n'
}

# Reads how far each worker is: done_[], and the sums in all_done, all_total.
look() {
	local i last
	all_done=0 all_total=0
	for i in "${!names[@]}"; do
		last=$(tail -n 1 "$dir/progress.$i.${part[i]}" 2>/dev/null)
		last=${last#*\"done\":}
		last=${last%%,*}
		[[ $last =~ ^[0-9]+$ ]] || last=0
		done_[i]=$((banked[i] + last))
		all_done=$((all_done + done_[i]))
		all_total=$((all_total + total[i]))
	done
}

shown_ms=0
show_progress() {
	local i text
	((terminal || $(now_ms) - shown_ms >= 1000)) || return 0
	shown_ms=$(now_ms)
	text="  $(millions $all_done) of $(millions $all_total) M"
	for i in "${!names[@]}"; do
		text+="  ${names[i]} $((100 * done_[i] / total[i]))%"
	done
	if [[ -n $terminal ]]; then
		printf '%s%s' "$erase" "$text"
	else
		echo "$text"
	fi
}

any_running() {
	local pid
	for pid in "${pids[@]}"; do
		ended "$pid" || return 0
	done
	return 1
}

# run_until PERCENT: shows how the workers get on until they are there.
run_until() {
	while look; any_running; do
		show_progress
		((100 * all_done < $1 * all_total)) || return 0
		sleep 0.3
	done
}

show_inside() {
	title "slabctl nodes"
	ctl nodes
	title "slabctl caches, the first twelve lines"
	ctl caches >"$dir/caches"
	head -n 12 "$dir/caches"
	title "slabctl clients"
	ctl clients
	echo
}

# ---- one is killed ---------------------------------------------------------
# held ID: objects that this client owns; 0 when slabd no longer has it.
held() {
	count clients "[.pools[].clients[] | select(.id == $1) | .objects] |
		add // 0"
}

nothing_held() {
	[[ $(held "$1") = 0 ]]
}

swept() {
	count status '[.pools[].swept_objects] | add // 0'
}

# Stops it, so that what it holds can be counted: victim, its client's id and how much
# that is. One that is about to end holds nothing any more, and goes on.
pick_victim() {
	local i
	for i in "${!names[@]}"; do
		ended "${pids[i]}" && continue
		kill -STOP "${pids[i]}"
		within 20 stopped "${pids[i]}"
		id=$(tail -n 1 "$dir/progress.$i.${part[i]}" | jq .client)
		before=$(held "$id")
		victim=$i
		((${before:-0} == 0)) || return 0
		kill -CONT "${pids[i]}"
	done
	return 1
}

stopped() {
	grep -q '^State:[[:space:]]*T' "/proc/$1/status" 2>/dev/null
}

kill_one() {
	local pid id before after from took sweep
	pick_victim || {
		fault "no worker was left to kill that held anything"
		return
	}
	pid=${pids[victim]}
	title "kill -9 ${names[victim]} (pid $pid, client $id)"
	sweep=$(swept) from=$(now_ms)
	echo "  before   ${before:-unknown} objects are client $id's"
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	within 100 nothing_held "$id"
	took=$(($(now_ms) - from))
	after=$(held "$id")
	echo "  after    ${after:-unknown}, seen from outside $took ms later;" \
		"slabd freed $(($(swept) - sweep)) of the dead"
	grep -E "client $id([^0-9]|$)" "$dir/slabd.log" | tail -n 2 |
		sed 's/^/  slabd    /'
	[[ $after = 0 ]] || fault "client $id still holds ${after:-objects}"
	restart_victim
}

# The new process plays what the dead one left over.
restart_victim() {
	local i=$victim left
	look
	banked[i]=${done_[i]}
	left=$(((total[i] - banked[i]) / one[i]))
	loops[i]=$((left > 0 ? left : 1))
	total[i]=$((banked[i] + loops[i] * one[i]))
	start_worker "$i"
	echo "  restart  ${names[i]} is pid ${pids[i]}, ${loops[i]} times to go"
	echo
}

# ---- slabd is killed -------------------------------------------------------
is_another() {
	local pid
	pid=$(count status .pid)
	[[ -n $pid && $pid != "$1" ]]
}

all_back() {
	[[ $(count status '[.pools[].clients] | add') = \
		$(count clients '[.pools[].clients[] | select(.connected)] |
			length') ]]
}

kill_slabd() {
	local pid from took
	pid=$(count status .pid)
	title "kill -9 slabd itself (pid $pid), with its workers at work"
	from=$(now_ms)
	kill -KILL "$pid"
	within 100 is_another "$pid" || {
		fault "no other slabd answers"
		return
	}
	took=$(($(now_ms) - from))
	echo "  after    pid $(count status .pid) answers, seen from outside" \
		"$took ms later"
	within 50 all_back || fault "not all workers came back"
	grep -E "killed by|taken over|live on|is back" "$dir/slabd.log" |
		sed 's/^/  slabd    /'
	echo
	ctl audit || fault "the audit does not agree after slabd was killed"
	echo
}

# ---- the end ---------------------------------------------------------------
show_results() {
	local i status
	title "the workers' results"
	printf '  %-10s %9s %9s %11s %11s %11s\n' worker 'M events' 'M/s' \
		'ns/event' 'CPU ns/ev.' mismatches
	for i in "${!names[@]}"; do
		wait "${pids[i]}"
		status=$?
		pids[i]=
		jq -r '[.events / 1e6, .events_per_s / 1e6, .ns_per_event,
			.cpu_ns_per_event, .mismatches] | @tsv' \
			"$dir/result.$i" 2>/dev/null | while read -r a b c d e; do
			printf '  %-10s %9.1f %9.1f %11.1f %11.1f %11d\n' \
				"${names[i]}" "$a" "$b" "$c" "$d" "$e"
		done
		((status == 0)) || {
			fault "${names[i]} ended with status $status"
			sed 's/^/     /' "$dir/errors.$i"
		}
	done
}

nothing_used() {
	[[ $(used) = 0 ]]
}

used() {
	count caches '[.pools[].caches[].used] | add // 0'
}

audit() {
	local status lost twice
	title "slabctl audit, with every worker gone"
	within 50 nothing_used ||
		fault "$(used) objects are still somebody's"
	ctl audit
	status=$?
	((status == 0)) || fault "the audit does not agree (status $status)"
	lost=$(count audit '[.pools[].lost] | add // 0')
	twice=$(count audit '[.pools[].twice] | add // 0')
	echo "$bold${lost:-?} lost, ${twice:-?} owned twice$plain"
	[[ $lost = 0 && $twice = 0 ]] || fault "objects are lost or owned twice"
}

stop_slabd() {
	local pages status left
	kill -TERM "$slabd_pid" 2>/dev/null
	within 50 ended "$slabd_pid" || fault "slabd did not stop within 5 s"
	ended "$slabd_pid" && {
		wait "$slabd_pid"
		status=$?
		((status == 0)) || fault "slabd ended with status $status"
		slabd_pid=
	}
	left=("$dir"/*.sock)
	[[ ! -e ${left[0]} ]] || echo "  slabd left ${left[*]##*/} behind"
	pages=$(hugepages)
	echo "hugepages reserved: $pages_before before, $pages after"
	[[ $pages = "$pages_before" ]] ||
		echo "  they differ: somebody else's, or slabd's left behind"
}

pages_before=$(hugepages)
pick_traces
size_work
start_slabd
start_workers
run_until 25
show_inside
run_until 50
kill_one
run_until 75
kill_slabd
run_until 101
look
shown_ms=0
show_progress
[[ -z $terminal ]] || echo
show_results
audit
stop_slabd
echo
if ((${#faults[@]})); then
	echo "demo: FAILED after $SECONDS s"
	printf '  %s\n' "${faults[@]}"
	exit 1
fi
echo "demo: all of it held, in $SECONDS s"
