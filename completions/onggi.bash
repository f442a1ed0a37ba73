# bash completion for onggi; made from its parser, see crates/onggi/src/pages

_onggi_verbs='checkpoint|completion|create|delete|events|exec|kill|list|mounts|pause|ps|restore|resume|run|spec|start|state|update|wait|features|info|help'

_onggi_flags() {
    case $1 in
    '') echo '--help -h --debug --log:file --log-format:text|json --log-level:error|warning|info|debug --root:dir --systemd-cgroup --cgroup-manager:cgroupfs|systemd|disabled --rootless:true|false|auto --strict --version -v' ;;
    checkpoint) echo '--help -h' ;;
    completion) echo '--help -h' ;;
    create) echo '--help -h --bundle:dir -b:dir --config:file -f:file --console-socket:file --pidfd-socket:file --pid-file:file --no-pivot --no-new-keyring --preserve-fds:text --no-subreaper' ;;
    delete) echo '--help -h --force -f --regex -r' ;;
    events) echo '--help -h --interval:text --stats --follow' ;;
    exec) echo '--help -h --console-socket:file --pidfd-socket:file --cwd:text --env:text -e:text --tty -t --user:text -u:text --additional-gids:text -g:text --process:file -p:file --detach -d --pid-file:file --process-label:text --apparmor:text --no-new-privs --cap:text -c:text --preserve-fds:text --cgroup:text --ignore-paused' ;;
    kill) echo '--help -h --all -a --regex -r' ;;
    list) echo '--help -h --format:table|json -f:table|json --quiet -q' ;;
    mounts) echo '--help -h' ;;
    pause) echo '--help -h' ;;
    ps) echo '--help -h --format:table|json -f:table|json' ;;
    restore) echo '--help -h' ;;
    resume) echo '--help -h' ;;
    run) echo '--help -h --bundle:dir -b:dir --config:file -f:file --console-socket:file --pidfd-socket:file --pid-file:file --no-pivot --no-new-keyring --preserve-fds:text --no-subreaper --detach -d --keep' ;;
    spec) echo '--help -h --bundle:dir -b:dir --config:file -f:file --rootless' ;;
    start) echo '--help -h' ;;
    state) echo '--help -h --format:json|text -f:json|text' ;;
    update) echo '--help -h --resources:file -r:file --blkio-weight:text --pids-limit:text --cpu-period:text --cpu-quota:text --cpu-burst:text --cpu-share:text --cpu-rt-period:text --cpu-rt-runtime:text --cpu-idle:text --cpuset-cpus:text --cpuset-mems:text --memory:text --memory-reservation:text --memory-swap:text --l3-cache-schema:text --mem-bw-schema:text' ;;
    wait) echo '--help -h' ;;
    features) echo '--help -h' ;;
    info) echo '--help -h --format:table|json -f:table|json' ;;
    esac
}

_onggi_words() {
    case $1 in
    help) echo 'checkpoint|completion|create|delete|events|exec|kill|list|mounts|pause|ps|restore|resume|run|spec|start|state|update|wait|features|info' ;;
    checkpoint) echo 'id' ;;
    completion) echo 'bash|zsh|fish' ;;
    create) echo 'text' ;;
    delete) echo 'id' ;;
    events) echo 'id' ;;
    exec) echo 'id text' ;;
    kill) echo 'id TERM|KILL|INT|HUP|QUIT|USR1|USR2|STOP|CONT' ;;
    mounts) echo 'add|remove id file' ;;
    pause) echo 'id' ;;
    ps) echo 'id text' ;;
    restore) echo 'id' ;;
    resume) echo 'id' ;;
    run) echo 'text' ;;
    start) echo 'id' ;;
    state) echo 'id' ;;
    update) echo 'id' ;;
    wait) echo 'id' ;;
    esac
}

# The kind of the value of flag $2 of verb $1; nothing for a switch.
_onggi_kind() {
    local entry
    for entry in $(_onggi_flags "$1"); do
        [[ $entry == "--${2##*-}:"* || $entry == "$2:"* || $entry == "-$2:"* ]] && { echo "${entry#*:}"; return; }
    done
}

_onggi_reply() {
    local kind=$1 cur=$2 root=$3
    case $kind in
    file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    dir) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
    id) mapfile -t COMPREPLY < <(compgen -W "$(onggi ${root:+--root "$root"} list -q 2>/dev/null)" -- "$cur") ;;
    '' | text) ;;
    *) mapfile -t COMPREPLY < <(compgen -W "${kind//|/ }" -- "$cur") ;;
    esac
}

_onggi() {
    local cur=${COMP_WORDS[COMP_CWORD]} at word kind verb= root= count=0 flag= kinds
    COMPREPLY=()
    for ((at = 1; at < COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        if [[ -n $flag ]]; then
            # bash makes a word of the equals sign.
            [[ $word == = ]] && continue
            [[ -z $verb && $flag == *root ]] && root=$word
            flag=
        elif [[ $word == -?* ]]; then
            [[ -n $(_onggi_kind "$verb" "$word") ]] && flag=$word
        elif [[ -z $verb ]]; then
            verb=$word
        else
            ((count++))
        fi
    done
    [[ $cur == = ]] && cur=
    if [[ -n $flag ]]; then
        kind=$(_onggi_kind "$verb" "$flag")
    elif [[ $cur == -* ]]; then
        kind=$(_onggi_flags "$verb" | tr ' ' '\n' | sed 's/:.*//' | tr '\n' '|')
    elif [[ -z $verb ]]; then
        kind=$_onggi_verbs
    else
        read -ra kinds <<< "$(_onggi_words "$verb")"
        kind=${kinds[count]}
        [[ -z $kind && $verb == state ]] && kind=id
    fi
    _onggi_reply "$kind" "$cur" "$root"
}

complete -F _onggi onggi
