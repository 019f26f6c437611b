# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# The machine of shape_systemd.sh, in which nothing of slabd is installed: it has
# the Debian packages of ./dev package, and dpkg; sourced by run.sh.
# shellcheck source=tests/guest/shape_systemd.sh
. "$here/shape_systemd.sh"
guest_programs+=(worker)
needed+=(dpkg-buildpackage dh lintian)
packages=$top/build/package
# What debian/tests/control names, and the packages themselves depend on.
debian_packages='systemd jq gcc libc6-dev pkgconf procps'
debian_spare='boot/* usr/share/{doc,doc-base,i18n,info,locale,man,zoneinfo}
	usr/share/{bash-completion,bug,common-licenses,lintian,zsh}
	usr/lib/*/gconv usr/lib/udev/hwdb.* usr/lib/gcc/*/*/{lto*,g++*}
	usr/{games,src} var/cache/* var/lib/apt/* var/log/*'

# Whether there are packages, of the sources as they are.
packages_fit() {
	[[ -f $(echo "$packages"/slabd_*.changes) && -z $(find \
		"$top"/{client,daemon,man,numa,packaging,shm} \
		"$top"/{configure.ac,Makefile.am} \
		-type f -newer "$packages/sources.log" -print -quit) ]]
}

# The packages, a later revision of them, and two that won't do: of one slabd does
# not run, the other's memory has another layout.
add_slabd() {
	local files into=$root/guest/packages
	packages_fit || "$top/packaging/build.sh" >"$dir/package.log" 2>&1 || {
		echo "./dev package failed: see $dir/package.log"
		return 1
	}
	mapfile -t files < <(printf '%s\n' "$packages"/*.deb | grep -v dbgsym)
	mkdir -p "$into" && cp "${files[@]}" "$top/packaging/shown.sh" \
		"$top/packaging/debian/tests/installed" "$into" &&
		"$top/packaging/again.sh" +again "$into/again" "${files[@]}" &&
		SLABD=/bin/false "$top/packaging/again.sh" +broken \
			"$into/broken" "$packages"/slabd_*.deb || return
	rm -rf "$dir/other"
	"$top/packaging/other.sh" "$dir/other" >"$dir/other.log" 2>&1 || {
		echo "no slabd of another layout: see $dir/other.log"
		return 1
	}
	SLABD=$dir/other/daemon/slabd "$top/packaging/again.sh" +other \
		"$into/other" "$packages"/slabd_*.deb
}
