#!/bin/sh
# SPDX-License-Identifier: MIT
# make install puts all in its place or leaves everything as it was, writes
# nothing outside of its prefix, and make uninstall takes all of it away.
: "${builddir:=.}"
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
dir=$(mktemp -d "${TMPDIR:-/tmp}/slabd-install-test.XXXXXX") || exit
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
n=0

ok() { # GOOD TITLE
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		tail -n 5 "$dir/log" | sed 's/^/# /'
	fi
}

run() { # TARGET: its exit status
	make -C "$builddir" "$1" prefix="$prefix" exec_prefix="$prefix" \
		sysconfdir="$prefix/etc" DESTDIR="$dest" TMPDIR="$dir" \
		>"$dir/log" 2>&1
}

shown() {
	find "$dir/root" | LC_ALL=C sort
	find "$dir/root" -type f -exec cksum {} + | LC_ALL=C sort
}

fails() { # TITLE
	shown >"$dir/before"
	run install
	[ $? != 0 ]
	ok $? "$1: make install fails"
	shown | cmp -s "$dir/before" -
	ok $? "and leaves everything as it was"
}

mkdir "$dir/root"
dest=$dir/root/a
prefix=/opt/slabd
run install
ok $? "make install below DESTDIR, in a prefix of its own"
[ -x "$dest$prefix/sbin/slabd" ] && [ -x "$dest$prefix/bin/slabctl" ] &&
	[ -f "$dest$prefix/etc/slabd/slabd.conf" ] &&
	[ -f "$dest$prefix/lib/pkgconfig/slabclient.pc" ] &&
	[ -f "$dest$prefix/lib/libslabclient.a" ] &&
	{ [ ! -e "$builddir/client/.libs/libslabclient.so" ] ||
		[ -h "$dest$prefix/lib/libslabclient.so" ]; }
ok $? "programs, library and configuration are there"
if grep -q '^systemdsystemunitdir = ${prefix}' "$builddir/Makefile"; then
	[ -z "$(find "$dest" ! -type d ! -path "$dest$prefix/*")" ]
	ok $? "nothing is outside of the prefix"
fi
[ -z "$(find "$dest" -name '*.new.*' -o -name '*.old.*')" ]
ok $? "nor left beside its place"
echo '# mine' >>"$dest$prefix/etc/slabd/slabd.conf"
run install && tail -n 1 "$dest$prefix/etc/slabd/slabd.conf" | grep -q mine
ok $? "a second one leaves a changed configuration alone"

# What comes late is in the way; what came before is there already, or is not.
rm -rf "$dest$prefix/share/man/man8"
echo stray >"$dest$prefix/share/man/man8"
echo older >"$dest$prefix/sbin/slabd"
fails "a file in the place of a folder"
rm "$dest$prefix/share/man/man8"
mkdir "$dest$prefix/share/man/man8" "$dest$prefix/share/man/man8/slabd.8"
fails "a folder in the place of a file"
rm -r "$dest"
mkdir -p "$dest$prefix/lib"
: >"$dest$prefix/lib/pkgconfig"
fails "and where there was nothing"

rm -r "$dest"
run install && run uninstall
ok $? "make uninstall"
[ -z "$(find "$dest" ! -type d)" ]
ok $? "takes all of it away"
[ -z "$(find "$dir" -maxdepth 1 -name 'slabd-install.*')" ]
ok $? "and no folder of its own is left"
echo "1..$n"
