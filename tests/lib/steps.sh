# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Steps that go side by side, for ./dev check: sourced, and tested by
# tests/unit/test_steps.sh. The caller has set logs (a folder), began (SECONDS) and
# cpus.
#
# A step keeps so many CPUs busy, and steps begin in the order of the plan as
# CPUs come free: no more runs at once than there are CPUs. A step begins when
# those that it needs went well; where one did not, it is not run. What a step
# has printed is judged by judge_KIND STEP STATUS, which sets now_passed,
# now_failed, now_skipped and told, the text that is shown below the step's
# line.

passed=0
failed=0
skipped=0
declare -a steps=()
declare -A width_of=() needs_of=() kind_of=() label_of=() command_of=()
declare -A state_of=() pid_of=() from_of=()

# plan STEP CPUS NEEDS KIND LABEL COMMAND...: NEEDS are earlier steps, with
# commas between them, or "-". The command writes to the log STEP.log.
plan() {
	steps+=("$1")
	width_of[$1]=$(($2 < cpus ? $2 : cpus)) needs_of[$1]=${3#-} kind_of[$1]=$4 label_of[$1]=$5
	state_of[$1]=planned
	command_of[$1]=$(printf '%q ' "${@:6}")
}

# show [LINE]: on a terminal, what runs stands below it.
show() {
	local step line=
	[ ! -t 1 ] || printf '\r\033[K'
	[ -z "${1-}" ] || printf '[%4ds] %s\n' $((SECONDS - began)) "$1"
	[ -t 1 ] || return 0
	for step in "${steps[@]}"; do
		[ "${state_of[$step]}" != runs ] ||
			line+=${line:+, }${label_of[$step]}
	done
	printf '%.79s' "${line:+        $line}"
}

show_end() {
	local line
	printf -v line '%-46s %s' "${label_of[$1]}" "$2"
	show "$line"
}

skip_step() {
	skipped=$((skipped + 1))
	label_of[$1]=$2
	show_end "$1" "skipped: $3"
}

# The step's end is a line to the descriptor that run_plan reads.
begin_step() {
	local step=$1
	{
		(eval "${command_of[$step]}") >"$logs/$step.log" 2>&1 </dev/null
		echo "$step $?" >&"$ends"
	} &
	pid_of[$step]=$! from_of[$step]=$SECONDS state_of[$step]=runs
}

# has_all STEP: 0 when it can begin, 1 when it has to wait, 2 when it never can.
has_all() {
	local need all=0
	for need in ${needs_of[$1]//,/ }; do
		case ${state_of[$need]:-unknown} in
		well) ;;
		planned | runs) all=1 ;;
		*) return 2 ;;
		esac
	done
	return $all
}

# Begins what can begin; false when nothing runs any more.
begin_steps() {
	local step free=$cpus
	for step in "${steps[@]}"; do
		[ "${state_of[$step]}" != runs ] || free=$((free - width_of[$step]))
	done
	for step in "${steps[@]}"; do
		[ "${state_of[$step]}" = planned ] || continue
		has_all "$step"
		case $? in
		0)
			[ "${width_of[$step]}" -le $free ] || continue
			begin_step "$step"
			free=$((free - width_of[$step]))
			;;
		2)
			state_of[$step]=dropped
			show_end "$step" "not run"
			;;
		esac
	done
	[ $free -lt "$cpus" ]
}

end_step() {
	local step=$1 status=$2 took=$((SECONDS - from_of[$1])) counts=
	local now_passed=0 now_failed=0 now_skipped=0 told=
	"judge_${kind_of[$step]}" "$step" "$status"
	[ "${kind_of[$step]}" = step ] || counts=": $now_passed passed"
	[ $now_skipped = 0 ] || counts+=", $now_skipped skipped"
	if [ $now_failed = 0 ]; then
		state_of[$step]=well
		show_end "$step" "ok, $took s$counts"
	else
		state_of[$step]=failed
		counts+=", $now_failed failed"
		show_end "$step" "FAILED, $took s$counts ($step.log)"
	fi
	[ -z "$told" ] || printf '%s\n' "$told"
	passed=$((passed + now_passed))
	failed=$((failed + now_failed))
	skipped=$((skipped + now_skipped))
}

# Who was killed says nothing.
end_killed() {
	local step
	for step in "${steps[@]}"; do
		[ "${state_of[$step]}" = runs ] &&
			! kill -0 "${pid_of[$step]}" 2>/dev/null &&
			! read -r -t 0 <&"$ends" && end_step "$step" 137
	done
}

stop_plan() {
	local step
	for step in "${steps[@]}"; do
		[ "${state_of[$step]}" != runs ] ||
			kill -TERM -- -"${pid_of[$step]}" 2>/dev/null
	done
	show "stopped"
	exit 130
}

# next_end: step and status of one that ended; false after five seconds without.
# A line that the time-out cuts is read on the next time.
next_end() {
	local more got
	read -r -t 5 more <&"$ends"
	got=$?
	half+=$more
	[ $got = 0 ] || return 1
	read -r step status <<<"$half"
	half=
	[ -n "${kind_of[${step:-none}]-}" ]
}

run_plan() {
	local step status ends half=
	rm -f "$logs/ends" && mkfifo "$logs/ends" || return
	exec {ends}<>"$logs/ends"
	# Each step leads a group of processes, which can be ended as a whole.
	set -m
	trap stop_plan INT TERM HUP
	while begin_steps; do
		show
		if next_end; then
			end_step "$step" "$status"
		else
			end_killed
		fi
	done
	trap - INT TERM HUP
	set +m
	exec {ends}>&-
	rm -f "$logs/ends"
}

# --- judges -----------------------------------------------------------------

tell() { [ -z "$1" ] || told+=${told:+$'\n'}$1; }

# The step is one test itself.
judge_step() {
	if [ "$2" = 0 ]; then
		now_passed=1
		return
	fi
	now_failed=1
	tell "$(grep -E -m 20 '(error|warning): |\*\*\*|^not ok|FAIL' \
		"$logs/$1.log" || tail -n 20 "$logs/$1.log")"
}

# It has printed TAP.
judge_tap() {
	local log=$logs/$1.log
	now_skipped=$(grep -c '^ok .*# SKIP' "$log")
	now_passed=$(($(grep -c '^ok ' "$log") - now_skipped))
	now_failed=$(grep -c '^not ok ' "$log")
	tell "$(sed -n "s|^ok .*# SKIP |        skipped: $1: |p" "$log")"
	# What ends badly with no test that failed is a failure too.
	if [ "$now_failed" = 0 ] &&
		{ [ "$2" != 0 ] || [ $((now_passed + now_skipped)) = 0 ]; }; then
		now_failed=1
		tell "$(tail -n 20 "$log")"
	elif [ "$now_failed" != 0 ]; then
		tell "$(grep -A 8 -e '^not ok ' -e '^Bail out' "$log" |
			head -n 60)"
	fi
}
