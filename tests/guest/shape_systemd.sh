# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# Two nodes, and a small Debian in which systemd runs slabd as it is installed;
# sourced by run.sh.
# shellcheck source=tests/guest/debian.sh
. "$here/debian.sh"
guest_programs+=(worker knock powers)
guest_files+=(unit.sh)
needed+=(debootstrap unshare)
# What systemd does in a machine at boot, and not in this one.
not_wanted='systemd-udevd systemd-udev-trigger systemd-hwdb-update
	systemd-firstboot systemd-sysusers systemd-tmpfiles-setup-dev
	systemd-update-utmp systemd-random-seed systemd-boot-system-token
	systemd-machine-id-commit systemd-network-generator ldconfig
	modprobe@configfs modprobe@drm modprobe@fuse modprobe@efi_pstore
	kmod-static-nodes systemd-modules-load systemd-remount-fs'

# unit NAME LINE...: a unit file.
unit() {
	local name=$1
	shift
	printf '%s\n' "$@" >"$root/etc/systemd/system/$name"
}

add_units() {
	local name system=$root/etc/systemd/system
	mkdir -p "$system" || return
	for name in $not_wanted; do
		ln -s /dev/null "$system/$name.service"
	done
	unit guest.target '[Unit]' 'Requires=basic.target guest.service' \
		'After=basic.target' 'AllowIsolate=yes'
	ln -s guest.target "$system/default.target"
	unit guest.service '[Unit]' 'After=basic.target' \
		'[Service]' 'Type=oneshot' 'TimeoutStartSec=infinity' \
		'ExecStart=/bin/sh /guest/start' 'StandardInput=tty-force' \
		'TTYPath=/dev/ttyS0' 'Environment=HOME=/root TERM=linux' \
		'ExecStopPost=/bin/systemctl poweroff -ff'
	cat >"$root/guest/start" <<-'TEXT'
		PATH=/guest:/usr/local/sbin:/usr/local/bin:$PATH
		cd /guest && ldconfig
		grep -q slabd.shell /proc/cmdline && exec bash -i
		stty raw -F /dev/ttyS1
		read -r booted _ </proc/uptime
		sh ./tests.sh "$booted" >/dev/ttyS1 2>&1 </dev/null
		# What is still in the line's buffer.
		stty -F /dev/ttyS1 >/dev/null
		sleep 0.2
	TEXT
}

# What make install makes, without what is for developers.
add_slabd() {
	make -C "$build" install DESTDIR="$root" >"$dir/install.log" 2>&1 || {
		echo "make install failed: see $dir/install.log"
		return 1
	}
	# In that Debian /lib is a part of /usr.
	if [[ -d $root/lib ]]; then
		cp -a "$root/lib" "$root/usr/" && rm -rf "${root:?}/lib" ||
			return
	fi
	if ! [[ -f $(find "$root/usr" -name slabd.service) ]]; then
		echo "make install has not installed slabd.service"
		return 1
	fi
	rm -rf "$root"/usr/local/{include,share} "$root"/usr/local/lib/*.a
}

# 77 where no Debian can be made.
make_root() {
	local archive
	add_tests || return
	archive=$(make_debian "${programs[@]}") || {
		echo "no Debian can be made: $archive"
		return 77
	}
	add_slabd && add_units || return
	cp -L "${programs[@]}" "$root/guest/" || return
	rm -f "$root"/guest/slab{d,ctl}
	ln -s usr/lib/systemd/systemd "$root/init"
	echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
	{ cat "$archive" && pack; } >"$dir/initramfs"
}

describe_machine() {
	local i
	machine+=(-accel "tcg,thread=single" -smp 2 -m 1536)
	for i in 0 1; do
		with_memory "$i" 768M
		machine+=(-numa "node,nodeid=$i,cpus=$i,memdev=m$i")
	done
	kernel_args+=' systemd.show_status=no'
	kernel_args+=' systemd.journald.forward_to_console=1'
}
