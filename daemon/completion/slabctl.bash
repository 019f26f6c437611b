# SPDX-License-Identifier: MIT
# Completion of slabctl for bash: slabctl itself knows what may come next.
_slabctl()
{
	local word
	local -a words=()
	# bash takes "--color=x" for three words.
	for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
		[ "$word" = = ] || words+=("$word")
	done
	[ "${COMP_WORDS[COMP_CWORD]}" != = ] || words+=("")
	if [ ${#words[@]} -gt 1 ] && [[ ${words[-2]} = --@(control|slabd|trace|write) ]]; then
		COMPREPLY=()
		compopt -o default
	else
		mapfile -t COMPREPLY < <("$1" --complete "${words[@]}" 2>/dev/null)
	fi
}
complete -F _slabctl slabctl
