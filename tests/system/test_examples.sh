#!/bin/sh
# SPDX-License-Identifier: MIT
# The examples do what they say; and as they are installed they are built against
# what is installed, by pkg-config alone. Prints TAP; no arguments.
. "$(dirname "$0")/../lib/shell.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
to_show="out log"

configure 64M 16M
start

# says PATTERN PROGRAM ARGUMENTS...: it ends well, with such a line.
says() {
	pattern=$1
	program=$2
	shift 2
	"$programs/$program" "$@" >"$here/out" 2>&1 &&
		grep -q "$pattern" "$here/out"
	result $? "$how: $program $*"
}

# Those that the gateway had are ended, and all that they had is settled.
agrees() {
	audit "$how: the audit agrees"
}

orders=40000 kills=4
if [ -n "${SLABD_STRESS:-}" ]; then
	orders=2000000 kills=100
fi

try_all() {
	says '^arena *20000 objects of 96 bytes' arena 20000 3
	says '^the arena is [0-9.]* times as fast$' arena 100 2
	says '^gets that an idle one served: 1998; made: 2$' objpool 1000 2
	says '^slabd has [0-9.]* times the orders/s' gateway --orders 20000
	agrees
	says ': [1-9][0-9]* kills: 0 lost, [0-9]* twice and marked, 0 twice unmarked$' gateway \
		--with slabd --orders $orders --kills $kills
	sed 's/^/# /' "$here/out"
	agrees
	"$programs/gateway" --with mallocs >"$here/out" 2>&1
	[ $? = 2 ] && grep -q '^usage:' "$here/out"
	result $? "$how: gateway of an unknown kind"
	"$programs/arena" 0 >"$here/out" 2>&1
	[ $? = 2 ] && grep -q '^usage:' "$here/out"
	result $? "$how: arena of no objects"
	SLABD_SOCKET=$here/none "$programs/objpool" >"$here/out" 2>&1
	[ $? = 1 ] && grep -q '^objpool: .*none' "$here/out"
	result $? "$how: objpool without slabd"
}

how="as built here"
programs=$builddir/client/examples
try_all

# ---- as installed ------------------------------------------------------------
if [ -n "${SLABD_SANITIZER:-}" ] ||
	[ ! -f "$builddir/client/.libs/libslabclient.so" ]; then
	skip "as installed" "a library with a sanitizer goes with few programs"
	finish
	exit
fi
how="as installed"
dest=$here/dest
make -C "$builddir" install-includeHEADERS install-libLTLIBRARIES \
	install-nodist_pkgconfigDATA install-dist_examplesDATA DESTDIR="$dest" \
	>"$here/out" 2>&1
result $? "library, headers and examples are installed"
PKG_CONFIG_LIBDIR=$(dirname "$(find "$dest" -name slabclient.pc)")
export PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR="$dest"
examples=$(dirname "$(find "$dest" -name objpool.c)")
programs=$here/programs
mkdir "$programs"
lib=$(pkg-config --variable=libdir slabclient)
case $lib in
"$dest"*) ;;
*) lib=$dest$lib ;;
esac
export LD_LIBRARY_PATH="$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

# build PROGRAM FILES...: as each file's head says.
build() {
	program=$1
	shift
	# shellcheck disable=SC2046
	(cd "$examples" && ${CC:-cc} -O2 -Wall -Wextra -Werror "$@" \
		$(pkg-config --cflags --libs slabclient) \
		-o "$programs/$program") >"$here/out" 2>&1
	result $? "$how: $program is built"
}

build arena arena.c
build objpool objpool.c
# shellcheck disable=SC2046
build gateway $(cd "$examples" && ls gateway*.c)
try_all

# ---- what the library asks of a program ---------------------------------------
lines=$(awk '/^\/\* ---- around the library: from here/ { on = 1; next }
	/^\/\* ---- to here/ { on = 0 }
	on && NF { n++ }
	END { print n + 0 }' "$examples/gateway_slabd.c")
echo "# $lines lines around the library"
[ "$lines" -gt 0 ] && [ "$lines" -le 60 ]
result $? "the gateway's lines around the library are 60 at the most"
stop
result $? "slabd ends well"
finish
