# SPDX-License-Identifier: MIT
# Completion of slabctl for fish: slabctl itself knows what may come next.
function __slabctl_words
    set -l words (commandline -opc)
    slabctl --complete $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c slabctl -f -a '(__slabctl_words)'
complete -c slabctl -n 'contains -- (commandline -opc)[-1] --control --slabd --trace --write' -F
