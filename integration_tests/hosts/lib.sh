# shellcheck shell=bash disable=SC2034
# Shared by the scripts of this directory; to be sourced.
hosts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(cd "$hosts/../.." && pwd)
cache=${ONGGI_HOST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/onggi-test-hosts}

# What is in the image: HOST_KIND=engines has container engines as well, HOST_KIND=full has another kernel.
package_lists=(packages ${HOST_KIND:+"packages.$HOST_KIND"})

# refuse REASON: this machine cannot have the test host
refuse() { echo "$*" >&2; exit 3; }

# The name of the built host in the cache: a sum over whatever it is made from.
host_key() {
    cd "$hosts" || return
    find build make guest "${package_lists[@]}" -type f | LC_ALL=C sort |
        while read -r file; do stat -c '%a %n' "$file"; cat "$file"; done | sha256sum | cut -c 1-16
}

# contained COMMAND...: runs it in a process namespace of its own, so that nothing it has started
# outlives it, or the caller.
contained() {
    # shellcheck disable=SC2016 # The shell inside expands it; it is process 1, which reaps.
    exec setpriv --pdeathsig KILL unshare --pid --fork --kill-child=KILL --mount-proc \
        sh -c '"$@"; exit $?' sh "$@"
}
