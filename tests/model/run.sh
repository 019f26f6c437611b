#!/bin/sh
# SPDX-License-Identifier: MIT
# Explores the models of the protocol: each property in full, mutants (a model with
# one guard of the protocol taken out) until their property fails: a third of the
# models and of the mutants, another third the next time, with SLABD_STRESS=1 all.
# With --all all of them and in larger bounds too, which takes ten minutes and 4 GB.
# README.md says what is modelled.
set -u
top=${srcdir:-$(dirname "$0")/../..}
models=$(cd "$top/tests/model" && pwd) || exit 99
n=0
bad=0
all=0
case "$#:${1:-}" in
0:) ;;
1:--all) all=1 ;;
*)
	echo "usage: run.sh [--all]" >&2
	exit 2
	;;
esac

# model|properties|bounds|for pan
runs() {
	tags_lease='one_owner living_unswept not_lost listed lease_exact'
	ident='one_owner living_unswept not_lost'
	gifts='one_owner living_unswept not_lost taken_once'
	heir='one_owner living_unswept not_lost taken_once'
	channel='one_owner not_lost taken_once'
	carve='one_owner not_lost listed lease_exact adoption'
	lend='one_owner living_unswept not_lost listed lease_exact'
	roots='one_owner not_lost adoption'
	objpool='one_owner not_lost used_stays idle_goes'
	want=shortage_relieved
	cat <<-EOT
	tags_lease|$tags_lease|CLIENTS=2 SLABS=2 OBJS=2|-m1000000
	ident|$ident|PROCS=3 IDS=3 OBJS=1|-m500000
	gifts|$gifts|PAIR=1 MORTAL=0 CRASHES=0|-m1000000
	gifts|$gifts|PAIR=0 CRASHES=0|-w22 -m1000000
	turn|one_owner|THREADS=3|-m100000
	heir|$heir|PARTS=2 CRASHES=0|-w22 -m1000000
	channel|$channel|ARENA=0 MORTAL=1 CRASHES=0|-w22 -m1000000
	channel|$channel|ARENA=0 MORTAL=1 SENDER=2 CRASHES=0|-w22 -m1000000
	channel|$channel|ARENA=1|-w20 -m500000
	forward|one_owner not_lost listed|CRASHES=1|-m100000
	carve|$carve|CLIENTS=1 UNITS=2|-m500000
	carve|$carve|CLIENTS=2 UNITS=1|-m500000
	lend|$lend|CLIENTS=2 OBJS=1|-m1000000
	roots|$roots|MORE=0 DEATHS=0 CRASHED=1|-E -m1000000
	roots|$roots|MORE=1 DEATHS=1 CRASHED=1|-E -m1000000
	objpool|$objpool|BARRIERS=1 OBJS=2|-m100000
	objpool|$objpool|BARRIERS=0 OBJS=2|-m100000
	want|$want|WAITS=1 RESTARTS=1|-a -f -m100000
	want|$want|WAITS=0 RESTARTS=1|-a -f -m100000
	EOT
	[ $all = 0 ] || cat <<-EOT
	tags_lease|$tags_lease|CLIENTS=3 SLABS=1 OBJS=2|-w27 -m10000000
	tags_lease|$tags_lease|CLIENTS=3 SLABS=2 OBJS=1|-w27 -m20000000
	ident|$ident|PROCS=2 IDS=3 OBJS=2|-m5000000
	ident|$ident|PROCS=2 IDS=4 OBJS=1|-m5000000
	ident|$ident|PROCS=3 IDS=4 OBJS=1|-w27 -m10000000
	gifts|$gifts|PAIR=0|-w25 -m2000000
	gifts|$gifts|PAIR=0 SELF=1 CRASHES=0|-w25 -m2000000
	heir|$heir|PARTS=2|-w24 -m1000000
	channel|$channel|ARENA=0|-w24 -m2000000
	carve|$carve|CLIENTS=2 UNITS=2|-w27 -m10000000
	lend|$lend|CLIENTS=2 OBJS=2|-w26 -m5000000
	roots|$roots|MORE=0 DEATHS=1 CRASHED=1|-w25 -E -m1000000
	objpool|$objpool|BARRIERS=1 OBJS=3|-w24 -m1000000
	objpool|$objpool|BARRIERS=0 OBJS=3|-w24 -m1000000
	want|$want|WAITS=1 RESTARTS=2|-a -f -m500000
	want|$want|WAITS=0 RESTARTS=2|-a -f -m500000
	want|$want|WAITS=0 STOPS=0 RESTARTS=0 MUTANT_no_last_ring|-a -f -m500000
	want|$want|WAITS=0 STOPS=0 RESUME_RING=1 MUTANT_no_last_ring|-a -f -m500000
	EOT
}

# model|mutant|caught by|bounds
mutants() {
	cat <<-'EOT'
	tags_lease|no_lease|one_owner|SLABS=1 OBJS=2
	tags_lease|sweep_others|living_unswept|SLABS=1 OBJS=2
	tags_lease|no_tag_sweep|not_lost|SLABS=1 OBJS=2
	tags_lease|no_fence|listed|SLABS=1 OBJS=2
	tags_lease|no_sweep_fence|listed|SLABS=1 OBJS=2
	tags_lease|no_scan|listed|SLABS=1 OBJS=2
	tags_lease|no_sum_look|listed|SLABS=2 OBJS=1
	tags_lease|no_relist|listed|SLABS=1 OBJS=2
	tags_lease|no_break|lease_exact|SLABS=1 OBJS=2
	ident|plain_ungive|one_owner|PROCS=2 IDS=3
	ident|plain_sweep|living_unswept|PROCS=2 IDS=3
	ident|by_timeout|living_unswept|PROCS=2 IDS=3
	ident|own_id_only|not_lost|PROCS=2 IDS=3
	ident|no_second_sweep|not_lost|PROCS=2 IDS=3
	ident|no_third_sweep|not_lost|PROCS=2 IDS=3
	ident|no_second_look|not_lost|PROCS=2 IDS=3
	ident|late_fdstore|not_lost|PROCS=2 IDS=3
	ident|no_reap|not_lost|PROCS=2 IDS=3
	gifts|take_no_turn|one_owner|PAIR=1 MORTAL=0 CRASHES=0
	gifts|give_no_turn|one_owner|PAIR=1 MORTAL=0 CRASHES=0
	gifts|no_tag_look|one_owner|PAIR=0 MORTAL=0 CRASHES=0
	gifts|ungive_waits|living_unswept|PAIR=0 CRASHES=0
	gifts|tag_first|not_lost|PAIR=0 CRASHES=0
	gifts|no_bump|taken_once|PAIR=0 MORTAL=0 CRASHES=0
	gifts|sweep_no_bump|taken_once|PAIR=0 CRASHES=0
	gifts|no_know|taken_once|PAIR=0 MORTAL=0 CRASHES=0
	gifts|know_once|taken_once|PAIR=0 MORTAL=0 CRASHES=0
	gifts|ungive_plain|taken_once|PAIR=0 CRASHES=0
	gifts|gen_first|taken_once|PAIR=0 CRASHES=0
	turn|no_barrier|one_owner|THREADS=3
	turn|no_wait|one_owner|THREADS=3
	turn|no_second_look|one_owner|THREADS=3
	turn|left_is_shared|one_owner|THREADS=3
	turn|shared_first|one_owner|THREADS=3
	heir|lead_first|one_owner|PARTS=2 CRASHES=0
	heir|lead_first|living_unswept|PARTS=2 CRASHES=0
	heir|no_settle|not_lost|PARTS=2 CRASHES=0
	heir|forget_first|not_lost|PARTS=2 CRASHES=0
	heir|no_second_look|not_lost|PARTS=2 CRASHES=0
	heir|name_first|taken_once|PARTS=2 CRASHES=0
	heir|settle_lead_first|taken_once|PARTS=2 CRASHES=0
	heir|no_epoch|taken_once|PARTS=2 CRASHES=0
	channel|ready_first|not_lost|ARENA=0
	channel|free_first|not_lost|ARENA=0
	channel|no_settle|not_lost|ARENA=0
	channel|settle_late|not_lost|ARENA=0
	channel|dead_first|not_lost|ARENA=0
	channel|no_trim|not_lost|ARENA=0
	channel|settle_living|not_lost|ARENA=0
	channel|settle_living|one_owner|ARENA=0
	channel|plain_begin|one_owner|ARENA=0
	channel|no_mark|taken_once|ARENA=0
	channel|no_heir|one_owner|ARENA=1
	channel|ring_first|one_owner|ARENA=1
	channel|name_first|one_owner|ARENA=1
	channel|forget_first|not_lost|ARENA=1
	channel|lead_first|not_lost|ARENA=1
	channel|take_unnamed|one_owner|ARENA=1
	channel|hand_back|not_lost|ARENA=1
	forward|by_own|not_lost|CRASHES=1
	forward|claim_late|not_lost|CRASHES=1
	forward|leave_first|not_lost|CRASHES=1
	forward|publish_first|listed|CRASHES=1
	forward|no_trim|one_owner|CRASHES=1
	forward|no_trim|not_lost|CRASHES=1
	forward|one_ring|not_lost|CRASHES=1
	carve|no_claim_lease|one_owner|CLIENTS=2 UNITS=1
	carve|adopt_no_reap|not_lost|CLIENTS=1 UNITS=2
	carve|no_carve_fence|listed|CLIENTS=1 UNITS=2
	carve|adopt_no_bits|listed|CLIENTS=1 UNITS=2
	carve|no_second_look|lease_exact|CLIENTS=2 UNITS=1
	carve|break_living|lease_exact|CLIENTS=2 UNITS=1
	carve|no_reclaim_lease|lease_exact|CLIENTS=1 UNITS=2
	carve|no_all_free|lease_exact|CLIENTS=1 UNITS=2
	carve|adopt_no_break|lease_exact|CLIENTS=1 UNITS=2
	carve|head_first|adoption|CLIENTS=1 UNITS=2
	carve|adopt_no_tail|adoption|CLIENTS=1 UNITS=2
	carve|adopt_no_clear|adoption|CLIENTS=1 UNITS=2
	carve|adopt_lease_first|adoption|CLIENTS=1 UNITS=2
	lend|no_lease|one_owner|CLIENTS=2 OBJS=1
	lend|steal|living_unswept|CLIENTS=2 OBJS=1
	lend|no_tag_sweep|not_lost|CLIENTS=2 OBJS=1
	lend|no_look|listed|CLIENTS=2 OBJS=1
	lend|no_switch_fence|listed|CLIENTS=2 OBJS=1
	lend|no_release_fence|listed|CLIENTS=2 OBJS=1
	lend|early_word|listed|CLIENTS=2 OBJS=1
	lend|no_put_right|listed|CLIENTS=2 OBJS=1
	lend|adopt_no_bits|listed|CLIENTS=2 OBJS=1
	lend|adopt_no_break|lease_exact|CLIENTS=2 OBJS=1
	roots|no_note|not_lost|MORE=0 DEATHS=1 CRASHED=1
	roots|name_first|not_lost|MORE=0 DEATHS=1 CRASHED=1
	roots|no_finish_gift|not_lost|MORE=0 DEATHS=1 CRASHED=1
	roots|serve_dead|adoption|MORE=0 DEATHS=1 CRASHED=1
	roots|no_seq|adoption|MORE=1 DEATHS=1 CRASHED=1
	roots|seq_late|one_owner|MORE=1 DEATHS=1 CRASHED=1
	objpool|no_say|one_owner|BARRIERS=1 OBJS=2
	objpool|no_barrier|one_owner|BARRIERS=1 OBJS=2
	objpool|no_settle|one_owner|BARRIERS=1 OBJS=2
	objpool|late_low|one_owner|BARRIERS=1 OBJS=2
	objpool|keep_low|one_owner|BARRIERS=1 OBJS=2
	objpool|no_restore|not_lost|BARRIERS=0 OBJS=2
	objpool|raise_low|used_stays|BARRIERS=1 OBJS=2
	objpool|low_of_now|used_stays|BARRIERS=0 OBJS=2
	objpool|no_begin|idle_goes|BARRIERS=1 OBJS=2
	objpool|no_age|idle_goes|BARRIERS=1 OBJS=2
	want|no_retry|shortage_relieved|WAITS=0
	want|no_last_ring|shortage_relieved|WAITS=0
	want|no_slice_ring|shortage_relieved|WAITS=1
	want|adopt_keeps_denied|shortage_relieved|WAITS=0
	want|no_last_ring|shortage_relieved|WAITS=0 STOPS=0
	want|no_reap_serve|shortage_relieved|WAITS=0 STOPS=0 RESTARTS=0 MUTANT_no_last_ring
	want|no_round_again|shortage_relieved|WAITS=0 STOPS=0 RESTARTS=0 MUTANT_no_last_ring
	EOT
}

# model|assumption|what fails without it|bounds
assumptions() {
	cat <<-'EOT'
	ident|late_reuse|one_owner|PROCS=2 IDS=3
	ident|drained|not_lost|PROCS=2 IDS=3
	gifts|not_as_freed|taken_once|PAIR=0 MORTAL=0 CRASHES=0
	EOT
}

skip() {
	echo "1..1"
	echo "ok 1 - the models # SKIP $1"
	exit 0
}

command -v spin >/dev/null 2>&1 || skip "spin is not installed"
command -v gcc >/dev/null 2>&1 || skip "gcc is not installed"
# They are the same in every build.
! grep -qs '^CC = clang' "${builddir:-.}/Makefile" || skip "done with gcc's build"

here=$(mktemp -d) || exit 99
trap 'rm -rf "$here"' EXIT
cd "$here" || exit 99

result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		bad=$((bad + 1))
	fi
}

# comma N: with commas between thousands.
comma() { echo "$1" | sed -e :a -e 's/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/;ta'; }

# Most mutants fail at once, and take as long as a compiler does.
quick=gcc
! command -v clang >/dev/null 2>&1 || quick=clang

# explore MODEL COMPILER DEFINES FOR-PAN: builds and runs the verifier, whose
# words go to the file out.
explore() {
	flags=-DSAFETY
	[ "$1" != want ] || flags=-DNFAIR=3
	defines=
	for word in $3; do
		defines="$defines -D$word"
	done
	# shellcheck disable=SC2086
	spin $defines -a "$models/$1.pml" >out 2>&1 &&
		$2 -w $flags -DNOREDUCE -o pan pan.c >out 2>&1 &&
		./pan -n $4 >out 2>&1
}

# violated: the property that failed, or nothing.
violated() {
	sed -n -e 's/^pan:1: assertion violated (*\([a-z_]*\).*/\1/p' \
		-e 's/^pan:1: acceptance cycle.*/shortage_relieved/p' out
}

# whole: the last run went through every state.
whole() {
	grep -q 'errors: 0$' out &&
		! grep -q -e 'max search depth too small' \
			-e 'Search not completed' out
}

# say_why MODEL DEFINES
say_why() {
	grep -e '^pan:' -e rror out | head -n 5 | sed 's/^/# /'
	echo "# to see it: spin -D... -a $1.pml, gcc -o pan pan.c, ./pan," \
		"spin -D... -t -p -g $1.pml; with $2"
}

third=${SLABD_SEED:-$(date +%s)}
third=${third#"${third%?????}"}
of=3
[ $all = 0 ] && [ -z "${SLABD_STRESS:-}" ] || of=1
echo "# models and mutants: one of $of; SLABD_SEED=$third has the same"

# some: those lines whose turn it is.
some() { awk -v of=$of -v from="$third" 'NR % of == from % of'; }

while IFS='|' read -r model properties bounds pan; do
	explore "$model" "gcc -O1" "$bounds" "$pan"
	states=$(comma "$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' out)")
	depth=$(comma "$(sed -n 's/.*depth reached \([0-9]*\),.*/\1/p' out)")
	is_whole=1
	whole && is_whole=0
	for property in $properties; do
		if [ $is_whole = 0 ]; then
			result 0 "$model: $property: $states states, depth $depth, all explored ($bounds)"
		elif [ "$(violated)" = "$property" ]; then
			result 1 "$model: $property does not hold ($bounds)"
		else
			result 1 "$model: $property: not all explored ($bounds)"
		fi
	done
	[ $is_whole = 0 ] || say_why "$model" "$bounds"
done <<EOT
$(runs | some)
EOT

# break_it MODEL BY DEFINE BOUNDS: 0 when the property named in BY fails.
break_it() {
	only=ONLY=P_$2
	pan='-w20 -m400000'
	# A queue that is full ends it.
	[ "$1" != roots ] || pan="-E $pan"
	if [ "$1" = want ]; then
		only=
		pan='-w20 -a -f -m50000'
	fi
	explore "$1" "$quick -O0" "$3 $only $4" "$pan"
	property=$(violated)
	[ "$property" = "$2" ]
}

while IFS='|' read -r model mutant by bounds; do
	break_it "$model" "$by" "MUTANT_$mutant" "$bounds"
	result $? "mutant $mutant of $model is caught by ${property:-nothing} ($bounds)"
done <<EOT
$(mutants | some)
EOT

while IFS='|' read -r model assumption by bounds; do
	break_it "$model" "$by" "ASSUME_$assumption=0" "$bounds"
	result $? "assumption $assumption of $model: ${property:-nothing} fails without ($bounds)"
done <<EOT
$(assumptions)
EOT

echo "1..$n"
[ $bad = 0 ]
