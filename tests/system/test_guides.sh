#!/bin/sh
# SPDX-License-Identifier: MIT
# The commands of the guides are true. Each line ".Dl $ COMMAND" of a page is run
# against a slabd with a client, and ends as slabctl(1) says; of ".Dl # COMMAND", which
# changes something or needs root, verb, options, keys and variables are there. The C
# example of slabclient_moving(7) is built and run by the page's own commands.
# Prints TAP; no arguments.
. "$(dirname "$0")/../lib/shell.sh"
pages="slabd_sizing.7 slabd_trouble.7 slabclient_moving.7"
unset COLUMNS SLABD_CHECKED
to_show="out log"
user=
at_end() {
	exec 9>&-
	[ -n "$user" ] && wait "$user"
}

# commands PROMPT PAGE
commands() {
	sed -n "s/^\\.Dl $1 //p" "$srcdir/man/$2" |
		sed 's/\\(aq/'\''/g; s/\\-/-/g; s/\\&//g; s/\\e/\\/g'
}

# ---- a slabd, and a client of it -----------------------------------------------
configure 64M 16M
export SLABD_CONTROL="$here/c"
PATH=$here/bin:$builddir/daemon:$builddir/record:$PATH
start --supervise
result $? "slabd serves"
slabctl --help >"$here/help.slabctl"
slabd --help >"$here/help.slabd"
slabctl --json set >"$here/keys"
mkfifo "$here/in"
"$builddir/tests/system/guides_user" <"$here/in" >"$here/ready" 2>&1 &
user=$!
exec 9>"$here/in"
until_true grep ready "$here/ready"
result $? "and has a client with what the guides name"

# ---- what looks ------------------------------------------------------------------

# Where the worker of the example is made; the library is not installed.
mkdir "$here/bin" "$here/work"
printf '#!/bin/sh\necho "-I%s/client -L%s -lslabclient"\n' "$srcdir" \
	"$builddir/client/.libs" >"$here/bin/pkg-config"
chmod +x "$here/bin/pkg-config"
sed -n '/^\/\* worker\.c \*\/$/,/^\.Ed$/p' "$srcdir/man/slabclient_moving.7" |
	sed -e '/^\.Ed$/d' -e 's/\\e/\\/g' >"$here/work/worker.c"

runs() {
	(cd "$here/work" &&
		LD_LIBRARY_PATH=$builddir/client/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} \
			timeout 300 bash -c "$1" </dev/null 9>&-) >"$here/out" 2>&1
}

# Those that judge may find something on this machine: 1 is no failure of theirs.
ends_well() {
	runs "$1"
	status=$?
	case $1 in
	"slabctl doctor") [ $status = 0 ] || [ $status = 1 ] ;;
	*) [ $status = 0 ] ;;
	esac
}

# Programs of the example can't be had with a sanitizer or without a shared library.
is_example() {
	case $1 in
	"cc "* | *./a.out*) return 0 ;;
	*) return 1 ;;
	esac
}

# What a build may lack.
lacks() {
	case $1 in
	slab-record*)
		command -v slab-record >/dev/null || echo "no slab-record in this build"
		;;
	*--trace*)
		slabctl advise --trace "$srcdir/tests/data/gateway-cut.trace.zst" 2>&1 |
			grep 'built without libzstd'
		;;
	esac
}

no_example=
if [ -n "${SLABD_SANITIZER:-}" ]; then
	no_example="a library with a sanitizer goes with few programs"
elif [ ! -f "$builddir/client/.libs/libslabclient.so" ]; then
	no_example="no shared library in this build"
fi

look() { # PAGE
	commands '\$' "$1" >"$here/list"
	[ "$(wc -l <"$here/list")" -ge 5 ]
	result $? "$1 has commands"
	while read -r command <&8; do
		if is_example "$command" && [ -n "$no_example" ]; then
			skip "$1: $command" "$no_example"
			continue
		fi
		lack=$(lacks "$command")
		if [ -n "$lack" ]; then
			skip "$1: $command" "$lack"
			continue
		fi
		ends_well "$command"
		result $? "$1: $command"
	done 8<"$here/list"
}

# ---- what changes something -------------------------------------------------------

# is_known COMMAND: what is not there is said.
is_known() {
	bash -n -c "$1" || return 1
	# shellcheck disable=SC2086
	set -- $1
	case $1 in
	slabctl | slabd)
		program=$1
		shift
		has "$program" "$@"
		;;
	SLABD_*)
		grep -q "Ev ${1%%=*}\$" "$srcdir/man/slabclient.3" && return
		echo "no variable ${1%%=*}"
		return 1
		;;
	esac
}

# has PROGRAM WORDS: a verb, or a key to be set, and options.
has() {
	help=$here/help.$1
	program=$1
	shift
	verb=
	for word; do
		case $word in
		--*)
			grep -q -e "${word%%=*}\\([^a-z-]\\|\$\\)" "$help" && continue
			echo "$program has no $word"
			return 1
			;;
		esac
		if [ "$program" = slabctl ] && [ -z "$verb" ]; then
			verb=$word
			grep -q "^  $verb " "$help" ||
				{ echo "no verb $verb"; return 1; }
		elif [ "$verb" = set ]; then
			grep -q "\"$word\"" "$here/keys" ||
				{ echo "no key $word"; return 1; }
			verb="set to"
		fi
	done
}

change() { # PAGE
	commands '#' "$1" >"$here/list"
	while read -r command <&8; do
		is_known "$command" >"$here/out" 2>&1
		result $? "$1: # $command"
	done 8<"$here/list"
}

# ---- what is no such command is found ----------------------------------------------
! ends_well "slabctl nodez"
result $? "a verb that is not there is found"
! ends_well "slabctl clients 77"
result $? "and a client"
for command in "slabctl dran 2" "slabctl drain 2 --redo" "slabctl set holds 5s" \
	"slabd --check" "SLABD_CHEKED=yes worker" "echo (1"; do
	! is_known "$command" >"$here/out" 2>&1
	result $? "and: # $command"
done

# The worker as it is before it is recorded; and a trace where nothing records.
[ -n "$no_example" ] ||
	runs "$(commands '\$' slabclient_moving.7 | grep '^cc ')"
command -v slab-record >/dev/null ||
	cp "$srcdir/tests/data/gateway-cut.trace.zst" "$here/work/worker.trace.zst"

for page in $pages; do
	look "$page"
	change "$page"
done

# ---- the example --------------------------------------------------------------------
if [ -n "$no_example" ]; then
	skip "the example" "$no_example"
else
	# shellcheck disable=SC2016
	runs 'cc -std=c11 -pedantic -Wall -Wextra -Werror -o strict worker.c \
		$(pkg-config --cflags --libs slabclient)'
	result $? "the example has no warnings"
	runs ./a.out && grep -q '^1000000 orders, [1-9][0-9]* refills' "$here/out"
	result $? "and says what it should"
	! SLABD_SOCKET=$here/none runs ./a.out && grep -q none "$here/out"
	result $? "and what is missing where no slabd is"
fi
exec 9>&-
wait "$user"
result $? "the client ends well"
user=
audit "the audit agrees"
stop
result $? "slabd ends well"
finish
