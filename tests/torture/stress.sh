#!/bin/bash
# SPDX-License-Identifier: MIT
# The torture test for as long as you like. Called by ./dev stress, with the
# build folder in builddir.
set -u -o pipefail
export LC_ALL=C

help() {
	cat <<'TEXT'
Usage: ./dev stress
       ./dev stress [--seconds N] [--seed S] [--workers N] [--keep-slabd]
       ./dev stress --stopped N

Without arguments: all that takes long or that the clock judges, one after the
other. With arguments, the torture test:

Starts slabd with a small pool, and worker processes of two to four threads
that allocate, write, check, free, fork, change CPUs and give each other objects
and arenas, keep some constructed, and send both over channels.
Every few milliseconds one is killed with SIGKILL and another started; slabd is
killed up to six times in a row, started again by its supervisor, and left alone
for ten seconds, after which the supervisor starts it without delay again. Every
second slabd audits the pool.

  --seconds N   for so long (60)
  --seed S      the random choices of a run before, as SLABD_SEED=S; the seed is
                printed
  --workers N   so many at a time, 2 to 64 (16)
  --keep-slabd  slabd is not killed
  --stopped N   another test: slabd is stopped with SIGSTOP for N seconds, twice,
                and no client waits for it longer than it said
  --help        this text

Exit status: 0 if no object changed in other hands, none that was sent was lost,
every audit agreed and nothing was in use in the end; 1 if not, and slabd's log is kept; 2 usage.
TEXT
}

refuse() {
	echo "stress: $1; see --help" >&2
	exit 2
}

seconds=60 workers=16
seed=
stopped=
options=()
while (($#)); do
	case $1 in
	--help | -h) help && exit 0 ;;
	--seconds | --workers | --seed | --stopped)
		(($# > 1)) || refuse "$1 takes a number"
		[[ $2 =~ ^[0-9]{1,20}$ ]] || refuse "$1 \"$2\": a whole number"
		declare "${1#--}=$2"
		shift 2
		;;
	--keep-slabd)
		options+=(--keep-slabd)
		shift
		;;
	*) refuse "unknown argument \"$1\"" ;;
	esac
done
((seconds >= 1 && seconds <= 1000000)) || refuse "--seconds: 1 to 1000000"
((workers >= 2 && workers <= 64)) || refuse "--workers: 2 to 64"
[[ -z $stopped ]] || ((stopped >= 1 && stopped <= 10000)) ||
	refuse "--stopped: 1 to 10000"

root=$(cd "$(dirname "$0")/../.." && pwd)
export builddir=${BUILD:-${builddir:-$root}}
program=$builddir/tests/torture/proc_torture
arguments=(--seconds "$seconds" --workers "$workers" "${options[@]}")
if [[ -n $stopped ]]; then
	program=$builddir/tests/system/proc_upgrade
	arguments=(--stopped "$stopped")
fi
[[ -x $program ]] || {
	echo "stress: $program is missing: run ./dev stress, which builds it" >&2
	exit 1
}
[[ -z $seed ]] || export SLABD_SEED=$seed
# What it prints, in words, and in the end the counts.
show() {
	awk '
	/^1\.\./ { next }
	/^ok .*# SKIP/ { skipped++; sub(/^ok - /, "  skipped: ") }
	/^ok / { passed++; sub(/^ok - /, "  well: ") }
	/^not ok / { failed++; sub(/^not ok - /, "  FAILED: ") }
	{ sub(/^# /, ""); print; fflush() }
	END {
		printf "%d passed, %d failed, %d skipped\n",
			passed, failed, skipped
	}'
}

"$program" "${arguments[@]}" | show
((PIPESTATUS[0] == 0)) || exit 1
