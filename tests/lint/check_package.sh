#!/bin/sh
# SPDX-License-Identifier: MIT
# What the Debian packages say of the tree: its version, the libraries that a build
# needs, as ./dev has them, and a list for each package that there is.
. "$(dirname "$0")/lint.sh"

debian=packaging/debian

# What is in one of these lists and not in the other.
differ() { # FILE WHAT: lists are 1 and 2 in $lists
	comm -3 "$lists/1" "$lists/2" | tr -d '\t' | while read -r name; do
		echo "$1:1: $name: $2"
	done
}

look() {
	version=$(sed -n 's/^AC_INIT(\[slabd\], \[\(.*\)\])$/\1/p' configure.ac)
	case $(head -n 1 $debian/changelog) in
	"slabd ($version-"*) ;;
	*) echo "$debian/changelog:1: is not of version $version" ;;
	esac
	# The C library is there in any case.
	sed -n 's/^all|\([^|]*-dev\)|.*/\1/p' dev |
		grep -v '^libc6-dev$' | LC_ALL=C sort >"$lists/1"
	sed -n 's/^ \([a-z0-9.-]*-dev\),$/\1/p' $debian/control |
		LC_ALL=C sort >"$lists/2"
	differ $debian/control "is in one of ./dev and Build-Depends"
	sed -n 's/^Package: //p' $debian/control | LC_ALL=C sort >"$lists/1"
	for list in "$debian"/*.install; do
		basename "$list" .install
	done | LC_ALL=C sort >"$lists/2"
	differ $debian/control "is no package with a list of what it installs"
}

# tree VERSION LIBRARY LIST: one that has these.
tree() {
	echo 'AC_INIT([slabd], [1.2.3])' | sample configure.ac
	mkdir -p "$samples/$debian"
	printf 'all|gcc|why\nall|libc6-dev|why\nall|liba-dev|why\n' \
		>"$samples/dev"
	echo "slabd ($1-1) unstable; urgency=medium" \
		>"$samples/$debian/changelog"
	printf 'Build-Depends:\n debhelper-compat (= 13),\n %s,\n\nPackage: a\n' \
		"$2" >"$samples/$debian/control"
	: >"$samples/$debian/$3.install"
}

lists=$(mktemp -d) || exit 99
trap 'rm -rf "$samples" "$lists"' EXIT
tree 1.2.2 liba-dev a
names "a version that is not the tree's" 'changelog:1: is not of version 1.2.3'
tree 1.2.3 libb-dev a
names "a library that ./dev has not" 'libb-dev: is in one of'
names "and one that the package has not" 'liba-dev: is in one of'
tree 1.2.3 liba-dev b
names "a package without a list" 'control:1: a: is no package'
names "and a list without a package" 'control:1: b: is no package'
tree 1.2.3 liba-dev a
passes "a package that agrees"
finish "the packages agree with the tree"
