# shellcheck shell=bash disable=SC2034,SC2154
# What an engine's file may call; sourced by `run`. Such a file has these functions:
#   engine_needs    looks whether the programs are there, outside of the namespaces
#   engine_start    starts the daemons, brings in the image
#   engine_checks   calls `check` and `same`
#   engine_tidy     removes what a failed check has left, all but what is named
#   engine_stop     ends what is no daemon of ours
# $place is the directory of everything that this run
# makes, $runtime the runtime, $driver cgroupfs or systemd, $parent the cgroup above all containers,
# $short is set for the short form.

# left_out REASON: this engine cannot be tried here
left_out() { echo "$*" >&2; exit 3; }

# daemon NAME COMMAND...: a program that goes on until the run ends; what it says is in NAME.log.
daemon() {
    local name=$1; shift
    "$@" > "$out/$name.log" 2>&1 < /dev/null &
    daemons+=($!)
}

# programs PACKAGE PROGRAM...: leaves the engine out when one is missing
programs() {
    local package=$1 program; shift
    for program; do command -v "$program" > /dev/null || left_out "$program is not installed (package $package)"; done
}

# ready SECONDS COMMAND...: waits until COMMAND succeeds; fails if it does not, or a daemon has ended.
ready() {
    local deadline=$((SECONDS + $1)) pid; shift
    until timeout 10 bash -c '"$@"' ready "$@" > /dev/null 2>&1; do
        for pid in "${daemons[@]}"; do [ -e "/proc/$pid" ] || return 1; done
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.2
    done
}

# check NAME EXPECTED CODE: runs CODE in a shell of its own, in an empty directory. What it prints, and
# a last line `exit status N` when that is not 0, must match EXPECTED, an extended regular expression, as
# a whole. A line that begins with `same` instead of EXPECTED compares nothing here: `compare` does, with
# what another runtime gave.
check() {
    local name=$1 expected=$2 code=$3 status=0 file=$out/$1.out
    selected "$name" || return 0
    mkdir -p "$place/check" && cd "$place/check" || return
    timeout -k 5 "${LIMIT:-90}" bash -o pipefail -c "$code" > "$file" 2>&1 < /dev/null || status=$?
    cd "$place" || return
    rm -rf --one-file-system "$place/check"
    [ $status = 0 ] || echo "exit status $status" >> "$file"
    normalise "$file"
    if [ "$expected" = same ]; then
        echo "$name" >> "$out/same"
        [ $status = 0 ] && [ -s "$file" ]
    else
        [[ $(< "$file") =~ ^($expected)$ ]]
    fi && { echo "ok $name"; return; }
    failed=1
    echo "not ok $name"
    [ "$expected" = same ] || sed 's/^/# expected: /' <<< "$expected"
    cut -c 1-300 "$file" | sed 's/^/# got: /' | head -n 20
    engine_tidy box > /dev/null 2>&1 < /dev/null
}

# same NAME CODE: CODE must succeed, and print what it prints with the reference runtime.
same() { check "$1" same "$2"; }

# Whether a check was asked for: those named on the command line, otherwise all.
selected() {
    local pattern
    [ ${#checks[@]} -gt 0 ] || return 0
    # shellcheck disable=SC2053 # patterns of names
    for pattern in "${checks[@]}"; do [[ $1 != $pattern ]] || return 0; done
    return 1
}

# What differs between any two runs goes: identifiers, this run's own paths, a terminal's line ends.
normalise() {
    sed -i -E -e 's/\r+$//' -e "s|$place|PLACE|g" -e "s|$runtime|RUNTIME|g" -e "s|${parent#/}|PARENT|g" \
        -e 's/[0-9a-f]{64}/ID/g' -e 's/\b[0-9a-f]{12}\b/ID/g' "$1"
}

# terminal COMMAND...: runs it with a terminal, on which nobody types
terminal() {
    mkfifo keys && SHELL=$BASH script -qec "$(printf '%q ' "$@")" /dev/null <> keys
}

# until_is VALUE COMMAND...: waits until COMMAND prints VALUE, and prints what it said last.
until_is() {
    local wanted=$1 said='' tries=0; shift
    while [ $tries -lt 100 ] && { said=$("$@" 2> /dev/null); [ "$said" != "$wanted" ]; }; do
        tries=$((tries + 1))
        sleep 0.1
    done
    echo "$said"
}
export -f terminal until_is

# Without it images are copied: slow, but the same for the runtime.
can_overlay() { grep -qw overlay /proc/filesystems || modprobe -q overlay 2> /dev/null; }

# A bridge needs two kinds of network device; where they are not there, containers have only `lo`.
can_bridge() {
    unshare --net sh -c 'ip link add name b type bridge && ip link add name v type veth peer name w' 2> /dev/null
}
