# SPDX-License-Identifier: MIT
# Completion of slab-record for bash: its options, a program, and that one's words.

# Where the program stands, in at: behind all words if it is yet to come.
_slab_record_program()
{
	for ((at = 1; at < COMP_CWORD; at++)); do
		case ${COMP_WORDS[at]} in
		--)
			((at++))
			return
			;;
		-o | -n | --output | --limit | --library)
			# bash takes "--output=x" for three words.
			[ "${COMP_WORDS[at + 1]}" != = ] || ((at++))
			((at++))
			;;
		-*) ;;
		*) return ;;
		esac
	done
}

_slab_record()
{
	local at before word=${COMP_WORDS[COMP_CWORD]}
	COMPREPLY=()
	_slab_record_program
	if ((at < COMP_CWORD)); then
		if declare -F _command_offset >/dev/null; then
			_command_offset "$at"
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$word")
		fi
		return
	fi
	before=${COMP_WORDS[COMP_CWORD - 1]}
	if [ "$word" = = ]; then
		word=
	elif [ "$before" = = ]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $before in
	-o | --output | --library)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		;;
	-n | --limit) ;;
	*)
		if [[ $before != -- && $word = -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "-o --output -n \
				--limit -f --follow --library --help --version" \
				-- "$word")
		else
			mapfile -t COMPREPLY < <(compgen -c -- "$word")
		fi
		;;
	esac
}
complete -o filenames -F _slab_record slab-record
