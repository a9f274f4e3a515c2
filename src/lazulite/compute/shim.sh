#!/bin/sh
# Run one attempt of a job and leave its exit code: sh shim.sh COMMAND ARG...
# Standard input is the attempt's record, locked and opened for append: while this process lives, the
# lock says so. It starts no process but the command and sets no variable, so that the command sees
# the environment as given. In braces, so that the shell has read all of it before it runs any of it.
{
    # A trap, not `trap ''`: the command must get the default action back. Asked to stop before the
    # command began, run something that ends as it would have.
    trap 'set -- sh -c "exit 143"' TERM
    trap 'set -- sh -c "exit 130"' INT
    trap 'set -- sh -c "exit 129"' HUP
    echo "claim $$" >&0 || exit 70
    # On EXIT, so that it is said too when the shell gives up, for want of a process to fork. Then
    # say what CPU time it took, for when nobody is there to ask the system, and
    # kill what the command left behind in its group, and this shell.
    trap 'echo "exit $?" >&0; times >&0; kill -s KILL -- "-$$"' EXIT
    "$@" </dev/null # in the foreground: in the background the shell would make it ignore INT
    exit
}
