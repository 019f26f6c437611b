#!/bin/sh
# SPDX-License-Identifier: MIT
# What libtool does where it links a program, at a tenth of the time: each library
# that libtool made is given to the linker as the file that it is. All else is left
# to libtool. Arguments: libtool's, at the top of the build.
mode='' out='' last=''
for arg; do
	case $arg in
	--mode=*) mode=${arg#--mode=} ;;
	esac
	[ "$last" != -o ] || out=$arg
	last=$arg
done
case $mode:$out in
link:*.la | link:*.lo) exec ./libtool "$@" ;;
link:*) ;;
*) exec ./libtool "$@" ;;
esac
for arg; do
	shift
	case $arg in
	--tag=* | --mode=link | --silent) continue ;;
	*.la)
		made=${arg%.la}
		made=${made%"${made##*/}"}.libs/${made##*/}
		if [ -e "$made.so" ]; then
			arg=$made.so
			set -- "$@" "-Wl,-rpath,$PWD/${made%/*}"
		else
			arg=$made.a
		fi
		;;
	esac
	set -- "$@" "$arg"
done
exec "$@"
