#!/bin/sh
# SPDX-License-Identifier: MIT
# make install puts all in its place or leaves everything as it was, writes
# nothing outside of its prefix, and make uninstall takes all of it away.
. "$(dirname "$0")/../lib/shell.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
to_show=log

run() { # TARGET: its exit status
	make -C "$builddir" "$1" prefix="$prefix" exec_prefix="$prefix" \
		sysconfdir="$prefix/etc" DESTDIR="$dest" TMPDIR="$here" \
		>"$here/log" 2>&1
}

shown() {
	find "$here/root" | LC_ALL=C sort
	find "$here/root" -type f -exec cksum {} + | LC_ALL=C sort
}

fails() { # TITLE
	shown >"$here/before"
	run install
	[ $? != 0 ]
	result $? "$1: make install fails"
	shown | cmp -s "$here/before" -
	result $? "and leaves everything as it was"
}

mkdir "$here/root"
dest=$here/root/a
prefix=/opt/slabd
run install
result $? "make install below DESTDIR, in a prefix of its own"
[ -x "$dest$prefix/sbin/slabd" ] && [ -x "$dest$prefix/bin/slabctl" ] &&
	[ -f "$dest$prefix/etc/slabd/slabd.conf" ] &&
	[ -f "$dest$prefix/lib/pkgconfig/slabclient.pc" ] &&
	[ -f "$dest$prefix/lib/libslabclient.a" ] &&
	{ [ ! -e "$builddir/client/.libs/libslabclient.so" ] ||
		[ -h "$dest$prefix/lib/libslabclient.so" ]; }
result $? "programs, library and configuration are there"
if grep -q '^systemdsystemunitdir = ${prefix}' "$builddir/Makefile"; then
	[ -z "$(find "$dest" ! -type d ! -path "$dest$prefix/*")" ]
	result $? "nothing is outside of the prefix"
fi
[ -z "$(find "$dest" -name '*.new.*' -o -name '*.old.*')" ]
result $? "nor left beside its place"
echo '# mine' >>"$dest$prefix/etc/slabd/slabd.conf"
run install && tail -n 1 "$dest$prefix/etc/slabd/slabd.conf" | grep -q mine
result $? "a second one leaves a changed configuration alone"

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
result $? "make uninstall"
[ -z "$(find "$dest" ! -type d)" ]
result $? "takes all of it away"
[ -z "$(find "$here" -maxdepth 1 -name 'slabd-install.*')" ]
result $? "and no folder of its own is left"
finish
