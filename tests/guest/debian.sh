# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# A small Debian with systemd, for the machine that has one; sourced by run.sh.
# It is this machine's release, from where its apt has it, made once by
# debootstrap and kept as an archive, by the list of its packages.

debian_packages='systemd jq'
debian_mib=2048 # of memory that it is made in
# Documentation, languages, and what a machine without a disk has no use for.
debian_spare='boot/* usr/share/{doc,doc-base,i18n,info,locale,man,zoneinfo}
	usr/share/{bash-completion,bug,common-licenses,lintian,perl5,zsh}
	usr/lib/*/{gconv,perl-base} usr/lib/udev/hwdb.*
	usr/{games,include,src} var/cache/* var/lib/{apt,dpkg,systemd}/*
	var/log/*'

# package_of FILE: the Debian package that it came with.
package_of() {
	local file
	file=$(realpath "$1")
	# As it is packaged, where /lib has become a part of /usr.
	{ dpkg -S "$file" || dpkg -S "${file#/usr}"; } 2>/dev/null |
		sed -n '1s/:.*//p'
}

# libraries_of PROGRAM...: the packages of the libraries that they name.
libraries_of() {
	local file
	LD_LIBRARY_PATH=$build/client/.libs ldd "$@" |
		awk '/=> \// { print $3 }' | sort -u | while read -r file; do
		[[ $file = "$build"/* ]] || package_of "$file"
	done | sort -u
}

# The first source of apt that has this release: "http://..." .
debian_source() {
	apt-get indextargets --format '$(SITE) $(CODENAME) $(ORIGIN)' \
		'Created-By: Packages' 2>/dev/null |
		awk -v name="$1" '$2 == name && $3 == "Debian" { print $1; exit }'
}

# Makes $3, an archive for the kernel to unpack, of the release $1 with the
# packages $2; says what failed. As root, with mounts of its own. In memory, where
# there is enough: dpkg waits for a disk at each file.
debian_build() {
	local codename=$1 packages=$2 archive=$3 tree=$dir/debian source
	source=$(debian_source "$codename")
	if [[ -z $source ]]; then
		echo "apt has no source of Debian's \"$codename\""
		return 1
	fi
	rm -rf --one-file-system "$tree"
	mkdir -p "$tree" || return
	(($(free_mib) < debian_mib)) ||
		mount -t tmpfs -o "size=${debian_mib}m" slabd-debian "$tree"
	debootstrap --variant=minbase --include="${packages// /,}" \
		"$codename" "$tree" "$source" || return
	# Patterns, to be expanded in there.
	# shellcheck disable=SC2086
	(cd "$tree" && eval "rm -rf --one-file-system" \
		${debian_spare//$'\n'/ }) || return
	(cd "$tree" && find . -xdev ! -path './dev/*' ! -path './proc/*' |
		LC_ALL=C sort | cpio -o -H newc --quiet) >"$archive.new" &&
		mv "$archive.new" "$archive" || return
	umount "$tree" 2>/dev/null
	rm -rf --one-file-system "$tree"
}

# make_debian PROGRAM...: the archive's path; or why there is none.
make_debian() {
	local codename packages key archive
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
	# shellcheck disable=SC2046
	packages=$(echo $debian_packages $(libraries_of "$@"))
	key=$(cksum <<<"$codename $packages $debian_spare")
	archive=$out/debian-$shape-${key%% *}.cpio
	if [[ ! -s $archive ]]; then
		rm -f "$out/debian-$shape"-*.cpio
		as_root unshare --mount bash -c "
			$(declare -p dir debian_spare debian_mib)
			$(declare -f debian_source debian_build free_mib)
			debian_build '$codename' '$packages' '$archive'" \
			>"$dir/debian.log" 2>&1 || {
			tail -n 1 "$dir/debian.log"
			return 1
		}
	fi
	echo "$archive"
}
