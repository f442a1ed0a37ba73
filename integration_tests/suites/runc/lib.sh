# shellcheck shell=bash disable=SC2154
# The parts of `run`: the copy of the checkout, one file's run, the verdicts. Uses $here, $source,
# $work, $out, $runtime from the caller.

die() { echo "runc-tests: $*" >&2; exit 2; }

# Copies the user's checkout, so that nothing is written there, builds the programs that the tests
# use, and puts the images where the tests look for them. Images in the checkout are used as they are.
prepare() {
    local tool data=$copy/tests/integration/testdata images image name
    for tool in bats jq gawk script go gcc; do
        command -v "$tool" > /dev/null || die "$tool is needed"
    done
    mkdir -p "$copy" "$work/bin"
    # Under runc's name, as it would be put in its place.
    ln -s "$runtime" "$work/bin/runc"
    tar -C "$source" --exclude=./.git --exclude=./tests/cmd/_bin -cf - . | tar -C "$copy" --no-same-owner -xf -
    mkdir -p "$copy/tests/cmd/_bin"
    (cd "$copy" && CGO_ENABLED=1 go build -tags 'seccomp urfave_cli_no_docs' -o tests/cmd/_bin/ ./tests/cmd/...) \
        > "$out/build.log" 2>&1 || { tail -n 5 "$out/build.log" >&2; die "the tests' own programs do not build"; }
    for name in busybox debian; do
        image=$data/$name-$(go env GOARCH).tar.xz
        [ -e "$image" ] || { images=$("$here/images") || exit $?; ln -s "$images/$name-$(go env GOARCH).tar" "$image"; }
    done
}

# Runs one file and prints a line `result TAB test` for each of its tests: pass, fail, skip.
run_file() {
    local name=$1 status=0 dir=$work/tmp
    mkdir -p "$dir"
    chmod 755 "$work" "$dir"
    # A terminal, which some tests want, whose input never ends (script would type an end of file into it).
    # Namespaces: nothing of the file survives, whatever happens. The shell stays as process 1 of the pid
    # namespace to reap what the runtime leaves to it.
    mkfifo "$dir/typist"
    # shellcheck disable=SC2016
    (cd "$copy" && RUNC=$work/bin/runc TMPDIR=$dir TAP=$out/$name.tap FILE=tests/integration/$name \
        timeout -k 5 "${TIMEOUT:-300}" unshare --mount --pid --fork --kill-child --mount-proc \
        bash -c 'script -qec "bats -t \"$FILE\" > \"$TAP\" 2>&1" /dev/null; status=$?; exit $status') \
        > "$out/$name.script" 2>&1 <> "$dir/typist" || status=$?
    sweep
    rm -rf --one-file-system "$dir"
    # What was not reached in time, or lost when bats itself was ended, is known from the plan's number.
    awk -v status="$status" '
        /^1\.\.[0-9]+/ { plan = substr($1, 4) + 0 }
        /^(not )?ok [0-9]+ / {
            result = $1 == "ok" ? "pass" : "fail"
            sub(/^(not )?ok [0-9]+ /, "")
            if (match($0, / # skip( |$)/)) { result = "skip"; $0 = substr($0, 1, RSTART - 1) }
            print result "\t" $0
            tests++
        }
        END {
            if (!plan) print "fail\t(no plan, exit status " status ")"
            for (; tests < plan; tests++) print "fail\t(test " tests + 1 " of " plan " not reached, exit status " status ")"
        }' "$out/$name.tap"
}

# Removes the control groups that the suite's fixed and random names and the runtimes' default ones leave.
sweep() {
    local group pids
    find /sys/fs/cgroup -maxdepth 2 -depth -type d \
        \( -name runc-cgroups-integration-test -o -name 'test-cgroup*' -o -name 'test_*' -o -name 'ct[0-9]*' \) 2> /dev/null |
    while read -r group; do
        [ -d "$group" ] || continue
        for _ in 1 2 3 4 5; do
            pids=$(find "$group" -name cgroup.procs -exec cat {} + 2> /dev/null) || :
            [ -z "$pids" ] || break # Somebody lives there: not ours, since the namespace's processes are gone.
            find "$group" -depth -type d -exec rmdir {} + 2> /dev/null || :
            [ -d "$group" ] || break
            sleep 0.1
        done
    done
}

# expected-failures has lines `FILE: TEST: REASON`; prints the reason for test $2 of file $1.
expected_failure() {
    awk -v key="$1: $2: " 'index($0, key) == 1 { print substr($0, length(key) + 1); exit }' "$here/expected-failures"
}

# The tests that only one passes of this runtime and the one in baselines.tsv (a header line, then `TEST TAB RESULT`).
print_comparison() {
    awk -F '\t' '
        FNR == NR { if (FNR == 1) name = $2; else record[$1] = $2; next }
        record[$1] == "pass" && $2 == "fail" { theirs[++worse] = $1 }
        record[$1] == "fail" && $2 == "pass" { better++ }
        END {
            for (i = 1; i <= worse; i++) print "passed by " name " only: " theirs[i]
            printf "beside the record of %s: %d fail that it passed, %d pass that it failed\n", name, worse, better
        }' "$here/baselines.tsv" "$out/results"
}
