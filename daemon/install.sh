#!/bin/sh
# SPDX-License-Identifier: MIT
# install.sh FROM DESTDIR KEEP: puts all that is in the folder FROM below DESTDIR
# in its place there, or leaves everything as it was. KEEP, a path below both, is
# left alone where it exists. What is new stands beside its place until all of it
# is there.
set -u
from=$1 dest=$2 keep=$3
new=.new.$$ old=.old.$$
lists=$(mktemp -d) || exit
trap 'exit 1' HUP INT TERM
trap 'undo; rm -rf "$lists"' EXIT
done=no

# Folders first, from the top; then all else.
(cd "$from" && find . -type d | sed 's/^[.]//; /^$/d' | LC_ALL=C sort) \
	>"$lists/folders"
(cd "$from" && find . ! -type d | sed 's/^[.]//' | LC_ALL=C sort) \
	>"$lists/files"
: >"$lists/made" >"$lists/moved"

undo() {
	[ "$done" = no ] || return
	while IFS= read -r path; do
		if [ -e "$dest$path$old" ] || [ -h "$dest$path$old" ]; then
			mv -f "$dest$path$old" "$dest$path"
		else
			rm -f "$dest$path"
		fi
	done <"$lists/moved"
	while IFS= read -r path; do
		rm -f "$dest$path$new" "$dest$path$old"
	done <"$lists/files"
	LC_ALL=C sort -r "$lists/made" | while IFS= read -r path; do
		[ ! -d "$path" ] || rmdir "$path"
	done
	echo "install: nothing is installed, see above" >&2
}

# Those that are missing on the way to it.
note_missing() { # FOLDER
	at=$1
	while [ -n "$at" ] && [ ! -d "$at" ]; do
		echo "$at" >>"$lists/made"
		case $at in
		*/*) at=${at%/*} ;;
		*) at= ;;
		esac
	done
}

while IFS= read -r path; do
	note_missing "$dest$path"
	mkdir -p "$dest$path" || exit
done <"$lists/folders"

while IFS= read -r path; do
	[ "$path" = "$keep" ] && [ -e "$dest$path" ] && continue
	if [ -d "$dest$path" ]; then
		echo "install: $dest$path is a folder, where a file belongs" >&2
		exit 1
	fi
	cp -pP "$from$path" "$dest$path$new" || exit
	if [ -e "$dest$path" ] || [ -h "$dest$path" ]; then
		cp -pP "$dest$path" "$dest$path$old" || exit
	fi
done <"$lists/files"

while IFS= read -r path; do
	[ -e "$dest$path$new" ] || [ -h "$dest$path$new" ] || continue
	mv -f "$dest$path$new" "$dest$path" || exit
	echo "$path" >>"$lists/moved"
done <"$lists/files"

done=yes
while IFS= read -r path; do
	rm -f "$dest$path$old"
done <"$lists/moved"
exit 0
