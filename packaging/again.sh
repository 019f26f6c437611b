#!/bin/sh
# SPDX-License-Identifier: MIT
# again.sh SUFFIX INTO PACKAGE...: the same packages as a later revision, of the
# version with SUFFIX behind it, in the folder INTO. For tests of an upgrade. SLABD:
# a program to be slabd.
set -eu
suffix=$1 into=$2
shift 2
at=$(mktemp -d)
trap 'rm -rf "$at"' EXIT
mkdir -p "$into"
for package; do
	dpkg-deb -R "$package" "$at/tree"
	sed -i "s/^\(Version: .*\)\$/\1$suffix/; s/(= \([^)]*\))/(= \1$suffix)/" \
		"$at/tree/DEBIAN/control"
	[ ! -e "$at/tree/usr/sbin/slabd" ] || [ -z "${SLABD-}" ] ||
		cp -L "$SLABD" "$at/tree/usr/sbin/slabd"
	dpkg-deb --root-owner-group -b "$at/tree" "$into" >/dev/null
	rm -rf "$at/tree"
done
