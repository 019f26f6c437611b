# SPDX-License-Identifier: MIT
# Completion of slab-record for fish: its options, a program, and that one's words.

# Whether the program is yet to come.
function __slab_record_is_before
    set -l words (commandline -opc)
    set -l is_argument
    set -e words[1]
    for word in $words
        if test -n "$is_argument"
            set is_argument
            continue
        end
        switch $word
            case -o -n --output --limit --library
                set is_argument yes
            case --
                return 1
            case '-*'
            case '*'
                return 1
        end
    end
end
complete -c slab-record -x -a '(__fish_complete_subcommand -o -n --output --limit --library)'
complete -c slab-record -n __slab_record_is_before -s o -l output -r -F -d 'Where the trace goes'
complete -c slab-record -n __slab_record_is_before -s n -l limit -x -d 'No more events than that'
complete -c slab-record -n __slab_record_is_before -s f -l follow -d 'What the program forks and executes, too'
complete -c slab-record -n __slab_record_is_before -l library -r -F -d 'Preload this instead'
complete -c slab-record -n __slab_record_is_before -l help -d 'How it is used'
complete -c slab-record -n __slab_record_is_before -l version -d 'Its version'
