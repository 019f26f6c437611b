#!/bin/bash
# SPDX-License-Identifier: MIT
# ./dev package: Debian packages of this tree, in build/package, with what lintian
# has to say of them and what is in each; with --try they are installed, used,
# upgraded and purged in a Debian of its own below build/package.
set -u
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/.." || exit 2
root=$PWD out=$PWD/build/package

say() { printf '%s\n' "$*"; }
die() {
	printf 'package: %s\n' "$*" >&2
	exit 1
}

# step LOG COMMAND...: its last lines where it fails.
step() {
	local log=$out/$1
	shift
	"$@" >"$log" 2>&1 && return
	tail -n 20 "$log" >&2
	die "failed, see $log"
}

try=''
case ${1-} in
'') ;;
--try) try=1 ;;
*)
	echo "package: $1: allowed is --try" >&2
	exit 2
	;;
esac

version=$(sed -n 's/^AC_INIT(\[slabd\], \[\(.*\)\])$/\1/p' configure.ac)
case $(head -n 1 packaging/debian/changelog) in
"slabd ($version-"*) ;;
*) die "packaging/debian/changelog is not of version $version" ;;
esac

# The sources as they are released, with nothing of this tree besides.
make_sources() {
	mkdir -p "$out/dist" && cd "$out/dist" &&
		"$root/configure" && make dist-xz || return
	cd "$out" &&
		mv "dist/slabd-$version.tar.xz" "slabd_$version.orig.tar.xz" &&
		tar xf "slabd_$version.orig.tar.xz" &&
		cp -r "slabd-$version/packaging/debian" "slabd-$version/debian"
}

make_packages() {
	cd "$out/slabd-$version" &&
		DEB_BUILD_OPTIONS="parallel=${SLABD_JOBS:-$(nproc)}" \
			dpkg-buildpackage -us -uc
}

# One at a time: tests want them, too.
mkdir -p build && exec 9>build/package.lock && flock 9 || exit
rm -rf --one-file-system "$out"
mkdir -p "$out" || exit
say "the sources"
step sources.log make_sources
say "the packages"
step build.log make_packages
cd "$out" || exit
say "lintian"
# What is passed over has its reason in debian/*.lintian-overrides.
lintian --allow-root --show-overrides ./*.changes 2>&1 | tee lintian.log
lintian_status=${PIPESTATUS[0]}
for package in ./*.deb; do
	printf '\n%s\n' "$package"
	dpkg -c "$package" | awk '{ $2 = $3 = $4 = $5 = ""; print }' |
		grep -v '/$'
done
if grep -q '^[EW]: ' lintian.log || ((lintian_status == 1)); then
	die "lintian is not content, see above"
fi
say
[[ -z $try ]] || exec "$root/packaging/try.sh"
say "in build/package: $(echo ./*.deb)"
