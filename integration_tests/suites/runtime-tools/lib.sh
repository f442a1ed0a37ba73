# shellcheck shell=bash disable=SC2154
# The parts of `run`: one program in its own pid namespace, the list of expected failures, the
# clean-up. Uses $here, $suite, $work, $out, $runtime from the caller.

die() { echo "runtime-tools: $*" >&2; exit 2; }

# Runs one program and prints its verdict. The runtime is reached through a small script that
# gives it a state directory of the program's own and notes the ids that are created.
run_program() {
    local program=$1 status=0 silent=0
    local dir=$work/$program
    mkdir -p "$dir/state" "$dir/tmp"
    # Containers with a user namespace reach their rootfs as another user.
    chmod 755 "$work" "$dir" "$dir/tmp"
    : > "$dir/ids"
    cat > "$dir/runtime" <<EOF
#!/bin/sh
if [ "\$1" = create ]; then
    for last; do :; done
    echo "\$last" >> "$dir/ids"
fi
exec "$runtime" --root "$dir/state" "\$@"
EOF
    chmod 755 "$dir/runtime"
    # The shell stays as process 1 of the pid namespace to reap what the runtime leaves to it;
    # when it ends, or the time is up, nothing of the program survives.
    # shellcheck disable=SC2016
    (cd "$suite" && RUNTIME="$dir/runtime" TMPDIR="$dir/tmp" \
        timeout -k 5 "${TIMEOUT:-60}" unshare --mount --pid --fork --kill-child --mount-proc \
        bash -c '"$0"; status=$?; exit $status' "$suite/$program") \
        > "$out/$program.tap" 2> "$out/$program.err" < /dev/null || status=$?
    sweep "$dir"
    # Two programs want an error from the runtime and, having got it, end without any TAP.
    case $program in
        process_capabilities_fail | process_rlimits_fail)
            grep -q '^failed to create the container' "$out/$program.err" && silent=1 ;;
    esac
    { cat "$out/$program.tap"; tail -n 3 "$out/$program.err"; } \
        | awk -v status="$status" -v silent="$silent" -f "$here/judge.awk"
}

# Removes what a program left: containers, control groups named by its ids, the bundles.
sweep() {
    local dir=$1 id
    while read -r id; do
        case $id in ????????-????-*) ;; *) continue ;; esac
        timeout 20 "$runtime" --root "$dir/state" delete --force "$id" > "$out/sweep.log" 2>&1 < /dev/null || :
        remove_cgroups "*$id*"
    done < "$dir/ids"
    # The two fixed names of the suite, absolute and relative.
    remove_cgroups cgrouptest
    remove_cgroups testdir
    rm -rf --one-file-system "$dir"
}

# Removes the control groups whose names match PATTERN, with all below, from every hierarchy; kills what lives in them.
remove_cgroups() {
    local group pids
    for group in $(find /sys/fs/cgroup -xdev -depth -type d -name "$1" 2> /dev/null;
                   find /sys/fs/cgroup/*/ -xdev -depth -type d -name "$1" 2> /dev/null); do
        [ -d "$group" ] || continue
        for _ in 1 2 3 4 5; do
            pids=$(find "$group" -name cgroup.procs -exec cat {} + 2> /dev/null) || :
            # shellcheck disable=SC2086
            [ -z "$pids" ] || kill -KILL $pids 2> /dev/null || :
            find "$group" -depth -type d -exec rmdir {} + 2> /dev/null || :
            [ -d "$group" ] || break
            sleep 0.1
        done
    done
}

# expected-failures has lines `PROGRAM  WHEN  REASON`; prints `WHEN REASON` when WHEN
# holds here.
expected_failure() {
    local program when reason
    while read -r program when reason; do
        if [ "$program" = "$1" ] && holds "$when"; then echo "$when $reason"; return; fi
    done < "$here/expected-failures"
}

# Whether a condition of the expected-failures file holds on this host.
holds() {
    local word
    for word in ${1//,/ }; do
        case $word in
            always | flaky) return 0 ;;
            no-v1) [ -d /sys/fs/cgroup/memory ] || return 0 ;;
            no-sys-resource) has_capability 24 || return 0 ;;
            no-blkio-weight) [ -n "$(find /sys/fs/cgroup/blkio -name blkio.leaf_weight 2> /dev/null)" ] || return 0 ;;
            no-hugetlb) mountpoint -q /sys/fs/cgroup/hugetlb || return 0 ;;
            no-net) mountpoint -q /sys/fs/cgroup/net_cls && mountpoint -q /sys/fs/cgroup/net_prio || return 0 ;;
            no-kmem) kernel_memory_settable || return 0 ;;
            *) die "expected-failures: unknown condition $word" ;;
        esac
    done
    return 1
}

has_capability() {
    local caps
    caps=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
    (( (0x$caps >> $1) & 1 ))
}

# Newer kernels keep the file memory.kmem.limit_in_bytes; what is written to it has no effect.
kernel_memory_settable() {
    local group=/sys/fs/cgroup/memory/onggi-kmem-$$ status=0
    mkdir "$group" 2> /dev/null || return 1
    { echo 67108864 > "$group/memory.kmem.limit_in_bytes"; } 2> /dev/null || :
    [ "$(cat "$group/memory.kmem.limit_in_bytes" 2> /dev/null)" = 67108864 ] || status=1
    rmdir "$group"
    return $status
}

# The table of recorded results (baselines.tsv: a header line with the runtimes' names, then one
# line a program) beside the ones just found.
print_comparison() {
    awk -F '\t' -v mine="$(basename "$runtime")" '
        FNR == NR { result[$1] = ($2 == "clean" || $2 == "SURPRISE" && $3 ~ /^passes/) ? "clean" : "-"; next }
        FNR == 1 {
            printf "%-32s", "program"
            for (i = 2; i <= NF; i++) printf " %-12s", $i
            print " " mine
            next
        }
        {
            printf "%-32s", $1
            for (i = 2; i <= NF; i++) { printf " %-12s", $i; total[i] += $i == "clean" }
            print " " result[$1]
            mine_total += result[$1] == "clean"
        }
        END {
            printf "%-32s", "clean"
            for (i = 2; i <= NF; i++) printf " %-12s", total[i]
            print " " mine_total
        }' "$out/results" "$here/baselines.tsv"
    echo
}
