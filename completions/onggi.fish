# fish completion for onggi; made from its parser, see crates/onggi/src/pages

function __onggi_words
    set -l words (commandline -xpc 2>/dev/null; or commandline -opc)
    set -e words[1]
    set -l skip 0
    for word in $words
        if test $skip = 1
            set skip 0
        else if string match -qr '^--?(additional-gids|apparmor|blkio-weight|bundle|cap|cgroup|cgroup-manager|config|console-socket|cpu-burst|cpu-idle|cpu-period|cpu-quota|cpu-rt-period|cpu-rt-runtime|cpu-share|cpuset-cpus|cpuset-mems|cwd|env|format|interval|l3-cache-schema|log|log-format|log-level|mem-bw-schema|memory|memory-reservation|memory-swap|pid-file|pidfd-socket|pids-limit|preserve-fds|process|process-label|resources|root|rootless|user)$' -- $word
            set skip 1
        else if not string match -q -- '-*' $word
            echo $word
        end
    end
end

# Whether the verb is $argv[1], and, if that is asked for, $argv[2] words follow it already.
function __onggi_at
    set -l words (__onggi_words)
    test "$words[1]" = $argv[1]; or return 1
    set -q argv[2]; or return 0
    test (count $words) -eq (math $argv[2] + 1)
end

function __onggi_no_verb
    test (count (__onggi_words)) -eq 0
end

function __onggi_ids
    set -l line (commandline -p)
    set -l root (string match -r -- '--root[ =](\S+)' $line)[2]
    if test -n "$root"
        onggi --root $root list -q 2>/dev/null
    else
        onggi list -q 2>/dev/null
    end
end

complete -c onggi -f
complete -c onggi -n __onggi_no_verb -a checkpoint -d 'not part of this version: save a running container to files'
complete -c onggi -n __onggi_no_verb -a completion -d 'print a script that completes command lines in a shell'
complete -c onggi -n __onggi_no_verb -a create -d 'create a container'
complete -c onggi -n __onggi_no_verb -a delete -d 'delete a container and everything that is kept for it'
complete -c onggi -n __onggi_no_verb -a events -d 'show what a container uses, and when it runs out of memory'
complete -c onggi -n __onggi_no_verb -a exec -d 'execute another process inside a container'
complete -c onggi -n __onggi_no_verb -a kill -d 'send a signal (default: SIGTERM) to the init process of a container'
complete -c onggi -n __onggi_no_verb -a list -d 'list the containers below the root directory'
complete -c onggi -n __onggi_no_verb -a mounts -d 'add mounts to a running container, or remove them'
complete -c onggi -n __onggi_no_verb -a pause -d 'suspend all processes of a container'
complete -c onggi -n __onggi_no_verb -a ps -d 'display the processes of a container'
complete -c onggi -n __onggi_no_verb -a restore -d 'not part of this version: run a container from such files'
complete -c onggi -n __onggi_no_verb -a resume -d 'let the processes of a paused container go on'
complete -c onggi -n __onggi_no_verb -a run -d 'create a container, start it and wait for its end'
complete -c onggi -n __onggi_no_verb -a spec -d 'create a new specification file'
complete -c onggi -n __onggi_no_verb -a start -d 'run the user\'s program of a created container'
complete -c onggi -n __onggi_no_verb -a state -d 'show the state of containers'
complete -c onggi -n __onggi_no_verb -a update -d 'update container resource constraints'
complete -c onggi -n __onggi_no_verb -a wait -d 'wait for the end of a container'
complete -c onggi -n __onggi_no_verb -a features -d 'show what this runtime can do as JSON'
complete -c onggi -n __onggi_no_verb -a info -d 'show what this host allows'
complete -c onggi -n '__onggi_no_verb' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_no_verb' -l debug -d 'log what is done, not only why something failed'
complete -c onggi -n '__onggi_no_verb' -l log -r -F -d 'where log records go: a file, journald:NAME or syslog:NAME'
complete -c onggi -n '__onggi_no_verb' -l log-format -x -a 'text json' -d 'how records are written: text (default) or json'
complete -c onggi -n '__onggi_no_verb' -l log-level -x -a 'error warning info debug' -d 'error, warning (default without --log), info or debug'
complete -c onggi -n '__onggi_no_verb' -l root -x -a '(__fish_complete_directories)' -d 'where containers are kept (/run/onggi or $XDG_RUNTIME_DIR/onggi)'
complete -c onggi -n '__onggi_no_verb' -l systemd-cgroup -d 'let systemd make the cgroups (slice:prefix:name)'
complete -c onggi -n '__onggi_no_verb' -l cgroup-manager -x -a 'cgroupfs systemd disabled' -d 'cgroupfs (default), systemd or disabled'
complete -c onggi -n '__onggi_no_verb' -l rootless -x -a 'true false auto' -d 'do without cgroup rights: true, false or auto (default)'
complete -c onggi -n '__onggi_no_verb' -l strict -d 'refuse what config.json has and would be ignored or mended'
complete -c onggi -n '__onggi_no_verb' -l version -s v -d 'print the version'
complete -c onggi -n '__onggi_at checkpoint' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at checkpoint 0' -a '(__onggi_ids)'
complete -c onggi -n '__onggi_at completion' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at completion 0' -a 'bash zsh fish'
complete -c onggi -n '__onggi_at create' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at create' -l bundle -s b -x -a '(__fish_complete_directories)' -d 'the bundle (default: the current directory)'
complete -c onggi -n '__onggi_at create' -l config -s f -r -F -d 'read FILE instead of the bundle\'s config.json'
complete -c onggi -n '__onggi_at create' -l console-socket -r -F -d 'send the master of the terminal to this Unix socket'
complete -c onggi -n '__onggi_at create' -l pidfd-socket -r -F -d 'send a pidfd of the init process to this Unix socket'
complete -c onggi -n '__onggi_at create' -l pid-file -r -F -d 'write the process id of the init process to FILE'
complete -c onggi -n '__onggi_at create' -l no-pivot -d 'change the root without pivot_root, for a root on a ramdisk'
complete -c onggi -n '__onggi_at create' -l no-new-keyring -d 'keep the session keyring of the caller'
complete -c onggi -n '__onggi_at create' -l preserve-fds -x -d 'pass on N more file descriptors (stdio + $LISTEN_FDS + N)'
complete -c onggi -n '__onggi_at create' -l no-subreaper -d 'do not collect orphaned processes of the container'
complete -c onggi -n '__onggi_at delete' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at delete' -l force -s f -d 'kill what still runs (SIGKILL); no container is no failure'
complete -c onggi -n '__onggi_at delete' -l regex -s r -d 'the id is a POSIX extended regular expression: all containers that match'
complete -c onggi -n '__onggi_at delete 0' -a '(__onggi_ids)'
complete -c onggi -n '__onggi_at events' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at events' -l interval -x -d 'time between statistics, such as 300ms, 1.5h or 1m30s (default: 5s)'
complete -c onggi -n '__onggi_at events' -l stats -d 'show statistics once, then exit'
complete -c onggi -n '__onggi_at events' -l follow -d 'what happens to it, as it happens, and no statistics'
complete -c onggi -n '__onggi_at events 0' -a '(__onggi_ids)'
complete -c onggi -n '__onggi_at exec' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at exec' -l console-socket -r -F -d 'send the master of the terminal to this Unix socket'
complete -c onggi -n '__onggi_at exec' -l pidfd-socket -r -F -d 'send a pidfd of the process to this Unix socket'
complete -c onggi -n '__onggi_at exec' -l cwd -x -d 'working directory in the container'
complete -c onggi -n '__onggi_at exec' -l env -s e -x -d 'set an environment variable; may be repeated'
complete -c onggi -n '__onggi_at exec' -l tty -s t -d 'give the process a terminal'
complete -c onggi -n '__onggi_at exec' -l user -s u -x -d 'run as this user and group'
complete -c onggi -n '__onggi_at exec' -l additional-gids -s g -x -d 'one more group; may be repeated'
complete -c onggi -n '__onggi_at exec' -l process -s p -r -F -d 'read the process from FILE (JSON)'
complete -c onggi -n '__onggi_at exec' -l detach -s d -d 'do not wait for the end of the process'
complete -c onggi -n '__onggi_at exec' -l pid-file -r -F -d 'write the process id to FILE'
complete -c onggi -n '__onggi_at exec' -l process-label -x -d 'SELinux label of the process'
complete -c onggi -n '__onggi_at exec' -l apparmor -x -d 'AppArmor profile of the process'
complete -c onggi -n '__onggi_at exec' -l no-new-privs -d 'bar the process from gaining privileges'
complete -c onggi -n '__onggi_at exec' -l cap -s c -x -d 'one more capability; may be repeated'
complete -c onggi -n '__onggi_at exec' -l preserve-fds -x -d 'pass on N more file descriptors (stdio + $LISTEN_FDS + N)'
complete -c onggi -n '__onggi_at exec' -l cgroup -x -d 'run in this existing sub-cgroup; may be repeated'
complete -c onggi -n '__onggi_at exec' -l ignore-paused -d 'allow it in a paused container'
complete -c onggi -n '__onggi_at exec 0' -a '(__onggi_ids)'
complete -c onggi -n '__onggi_at kill' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at kill' -l all -s a -d 'signal every process of the container'
complete -c onggi -n '__onggi_at kill' -l regex -s r -d 'the id is a POSIX extended regular expression: all containers that match'
complete -c onggi -n '__onggi_at kill 0' -a '(__onggi_ids)'
complete -c onggi -n '__onggi_at kill 1' -a 'TERM KILL INT HUP QUIT USR1 USR2 STOP CONT'
complete -c onggi -n '__onggi_at list' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at list' -l format -s f -x -a 'table json' -d 'table (default) or json'
complete -c onggi -n '__onggi_at list' -l quiet -s q -d 'only the container ids'
complete -c onggi -n '__onggi_at mounts' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at mounts 0' -a 'add remove'
complete -c onggi -n '__onggi_at mounts 1' -a '(__onggi_ids)'
complete -c onggi -n '__onggi_at mounts 2' -F
complete -c onggi -n '__onggi_at pause' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at pause 0' -a '(__onggi_ids)'
complete -c onggi -n '__onggi_at ps' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at ps' -l format -s f -x -a 'table json' -d 'table (default) or json'
complete -c onggi -n '__onggi_at ps 0' -a '(__onggi_ids)'
complete -c onggi -n '__onggi_at restore' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at restore 0' -a '(__onggi_ids)'
complete -c onggi -n '__onggi_at resume' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at resume 0' -a '(__onggi_ids)'
complete -c onggi -n '__onggi_at run' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at run' -l bundle -s b -x -a '(__fish_complete_directories)' -d 'the bundle (default: the current directory)'
complete -c onggi -n '__onggi_at run' -l config -s f -r -F -d 'read FILE instead of the bundle\'s config.json'
complete -c onggi -n '__onggi_at run' -l console-socket -r -F -d 'send the master of the terminal to this Unix socket'
complete -c onggi -n '__onggi_at run' -l pidfd-socket -r -F -d 'send a pidfd of the init process to this Unix socket'
complete -c onggi -n '__onggi_at run' -l pid-file -r -F -d 'write the process id of the init process to FILE'
complete -c onggi -n '__onggi_at run' -l no-pivot -d 'change the root without pivot_root, for a root on a ramdisk'
complete -c onggi -n '__onggi_at run' -l no-new-keyring -d 'keep the session keyring of the caller'
complete -c onggi -n '__onggi_at run' -l preserve-fds -x -d 'pass on N more file descriptors (stdio + $LISTEN_FDS + N)'
complete -c onggi -n '__onggi_at run' -l no-subreaper -d 'do not collect orphaned processes of the container'
complete -c onggi -n '__onggi_at run' -l detach -s d -d 'do not wait for the container\'s end'
complete -c onggi -n '__onggi_at run' -l keep -d 'do not delete the container after its end'
complete -c onggi -n '__onggi_at spec' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at spec' -l bundle -s b -x -a '(__fish_complete_directories)' -d 'where to write it'
complete -c onggi -n '__onggi_at spec' -l config -s f -r -F -d 'write FILE, in place of config.json'
complete -c onggi -n '__onggi_at spec' -l rootless -d 'for a container without privileges'
complete -c onggi -n '__onggi_at start' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at start 0' -a '(__onggi_ids)'
complete -c onggi -n '__onggi_at state' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at state' -l format -s f -x -a 'json text' -d 'json, or text (default on a terminal)'
complete -c onggi -n '__onggi_at state' -a '(__onggi_ids)'
complete -c onggi -n '__onggi_at update' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at update' -l resources -s r -r -F -d 'file with the new limits, or - for standard input'
complete -c onggi -n '__onggi_at update' -l blkio-weight -x -d 'block I/O weight, 10 to 1000'
complete -c onggi -n '__onggi_at update' -l pids-limit -x -d 'number of processes and threads; below 0 for no limit'
complete -c onggi -n '__onggi_at update' -l cpu-period -x -d 'CPU period for the quota'
complete -c onggi -n '__onggi_at update' -l cpu-quota -x -d 'CPU time in a period; -1 for no limit'
complete -c onggi -n '__onggi_at update' -l cpu-burst -x -d 'CPU time that may be saved up beyond the quota'
complete -c onggi -n '__onggi_at update' -l cpu-share -x -d 'CPU shares, 2 to 262144'
complete -c onggi -n '__onggi_at update' -l cpu-rt-period -x -d 'CPU period for realtime processes (cgroup v1)'
complete -c onggi -n '__onggi_at update' -l cpu-rt-runtime -x -d 'CPU time of realtime processes in a period (cgroup v1)'
complete -c onggi -n '__onggi_at update' -l cpu-idle -x -d '1: only CPU time that nobody else wants'
complete -c onggi -n '__onggi_at update' -l cpuset-cpus -x -d 'CPUs to use, such as 0-3,7'
complete -c onggi -n '__onggi_at update' -l cpuset-mems -x -d 'memory nodes to use'
complete -c onggi -n '__onggi_at update' -l memory -x -d 'memory limit; -1 for no limit'
complete -c onggi -n '__onggi_at update' -l memory-reservation -x -d 'memory that is left to the container when it gets scarce'
complete -c onggi -n '__onggi_at update' -l memory-swap -x -d 'limit on memory and swap together; -1 for no limit'
complete -c onggi -n '__onggi_at update' -l l3-cache-schema -x -d 'Intel RDT: L3 cache'
complete -c onggi -n '__onggi_at update' -l mem-bw-schema -x -d 'Intel RDT: memory bandwidth'
complete -c onggi -n '__onggi_at update 0' -a '(__onggi_ids)'
complete -c onggi -n '__onggi_at wait' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at wait 0' -a '(__onggi_ids)'
complete -c onggi -n '__onggi_at features' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at info' -l help -s h -d 'show help'
complete -c onggi -n '__onggi_at info' -l format -s f -x -a 'table json' -d 'table (default) or json'
