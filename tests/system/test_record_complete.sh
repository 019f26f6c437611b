#!/bin/sh
# SPDX-License-Identifier: MIT
# What shells offer behind slab-record: just the options that its help has, files
# where one takes a file, programs, and behind a program nothing of slab-record's.
# Prints TAP; no arguments.
. "$(dirname "$0")/../lib/shell.sh"
recorder=$builddir/record/slab-record
completion=$(cd "$srcdir" && pwd)/record/completion
[ -x "$recorder" ] || skip_all "slab-record is not built: no libzstd, or no shared library"
command -v bash >/dev/null || skip_all "no bash here"

mkdir "$here/in" && cd "$here/in" || exit 99
: >readme
"$recorder" --help | grep -Eo -- '--[a-z]+' | sort -u | grep -v '^--trace$' \
	>"$here/options"
[ "$(wc -l <"$here/options")" -ge 6 ] && grep -qx -- --output "$here/options"
result $? "the help has the options"

# by_bash WORDS...: what it offers for the last one, a line each.
by_bash() {
	bash -c '. "$1/slab-record.bash"; shift; COMP_WORDS=(slab-record "$@")
		COMP_CWORD=$#; _slab_record slab-record
		[ ${#COMPREPLY[@]} = 0 ] || printf "%s\n" "${COMPREPLY[@]}"' \
		bash "$completion" "$@" 2>&1 | sort -u >"$here/out"
}

by_fish() {
	HOME=$here XDG_CONFIG_HOME=$here XDG_DATA_HOME=$here fish --no-config -c \
		"source $completion/slab-record.fish; complete -C 'slab-record $*'" \
		2>&1 | cut -f 1 | sort -u >"$here/out"
}

# offers WORDS, LINES: just these.
offers() {
	[ "$(cat "$here/out")" = "$2" ]
	result $? "$shell: slab-record $1"
}

# has WORDS, LINE: this among others.
has() {
	grep -qx -- "$2" "$here/out"
	result $? "$shell: slab-record $1: $2 is offered"
}

for shell in bash fish; do
	if ! command -v $shell >/dev/null; then
		skip "$shell" "no $shell here"
		continue
	fi
	by_$shell --
	offers -- "$(cat "$here/options")"
	by_$shell -o rea
	offers "-o rea" readme
	by_$shell -f slee
	has "-f slee" sleep
	by_$shell -o --follow slee
	has "-o --follow slee" sleep
	by_$shell -- slee
	has "-- slee" sleep
	by_$shell -n 3 cat rea
	offers "-n 3 cat rea" readme
	by_$shell cat --fol
	offers "cat --fol" ""
	by_$shell -- cat --fol
	offers "-- cat --fol" ""
done
shell=bash
by_bash -n ""
offers '-n ""' ""
by_bash --output = rea
offers "--output=rea" readme

# zsh has to be asked on a terminal: what it is told is compared.
grep -Eo -- '--[a-z]+' "$completion/_slab-record" | sort -u >"$here/out"
cmp -s "$here/options" "$here/out"
result $? "what zsh is told are the options, too"
finish
