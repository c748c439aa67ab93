#!/bin/sh
# Rebuilds a released deposit without network and compares every result with the trial build's.
#
#     sh rebuild.sh                               every deposit that open.sh has opened
#     sh rebuild.sh opened/PRODUCT/deposit-7      one of them
#
# Needs Docker and tar. Exit code 0: every result is identical; 1: something differs; 2: it could
# not be rebuilt; of several deposits, the worst. Results are copied to rebuilt/.
#
# Nothing of a deposit is run outside a container, and no name, path or command of it is ever given
# to this shell: what is read here are digests, numbers and paths of a plain alphabet, and each is
# checked before it is used.
set -u
unset CDPATH
LC_ALL=C
export LC_ALL

say() { printf '%s\n' "$*"; }

could_not() {
    say "COULD NOT REBUILD: $1" >&2
    [ $# -lt 2 ] || say "  $2" >&2
    exit 2
}

case $0 in
*/*) cd -- "${0%/*}" || exit 2 ;;
esac

for program in docker tar; do
    command -v "$program" >/dev/null 2>&1 || could_not "$program is not there." "Install it."
done
docker version >/dev/null 2>&1 || could_not "no Docker engine answers." "Start it, then try again."

# --- what is used more than once -----------------------------------------------------------------

# Sets found to the text value of a member on a line of the kit.
member() {
    found=${2#*\"$1\":\"}
    found=${found%%\"*}
}

check_digest() {
    case $1 in
    *[!0-9a-f]* | '') could_not "the recovery kit names no digest where one is due." ;;
    esac
    [ "${#1}" -eq 64 ] || could_not "the recovery kit names no digest where one is due."
}

# An engine whose ids are digests of something else has the image under a name of ours.
reference() {
    ref=sha256:$1
    docker image inspect "$ref" >/dev/null 2>&1 || ref=escrow-kit:$1
}

load() { # DIGEST-OF-THE-ID TAR DIGEST-OF-THE-TAR
    [ -f "$2" ] || could_not "the image $2 is not there." "Run open.sh, which makes it."
    if command -v sha256sum >/dev/null 2>&1; then
        sum=$(sha256sum <"$2")
        [ "${sum%% *}" = "$3" ] || could_not "the image $2 is damaged: it has another digest." \
            "Fetch the release again, and open it again."
    fi
    loaded=$(docker load -q -i "$2" 2>&1) || could_not "the engine refuses the image $2: $loaded" \
        "Fetch the release again, and open it again."
    docker image inspect "sha256:$1" >/dev/null 2>&1 && return
    # The id did not come out. Only a digest that was compared above can stand in for it.
    command -v sha256sum >/dev/null 2>&1 ||
        could_not "the image $2 is not the one that the recovery kit names." \
            "If your engine keeps images in containerd's store, install sha256sum and try again."
    docker tag "${loaded##*: }" "escrow-kit:$1" || could_not "the image $2 has no name."
}

# Where this machine has no sha256sum, the inspector's image has one: it is known by its id.
check_tar() { # TAR DIGEST-OF-THE-TAR
    command -v sha256sum >/dev/null 2>&1 && return
    sum=$(confined -i --entrypoint sha256sum "$inspector" <"$1")
    [ "${sum%% *}" = "$2" ] || could_not "the image $1 is damaged: it has another digest." \
        "Fetch the release again, and open it again."
}

# Every container gets this: the confinement of the trial build (docs/protocol/kit.md).
confined() {
    docker run --rm --init --network none --read-only --cap-drop ALL \
        --security-opt no-new-privileges:true ${seccomp:+--security-opt "seccomp=$seccomp"} \
        --ipc private --cgroupns private --oom-score-adj 500 --shm-size 64m \
        --ulimit nofile=4096:4096 --ulimit core=0:0 --log-driver none --no-healthcheck \
        --tmpfs /tmp:size=512m,mode=1777,nosuid,nodev,exec,nr_inodes=100k \
        --hostname builder --user 10001:10001 --workdir /ws "$@"
}

inspect() { confined -i --entrypoint python3 "$inspector" -P -m builders.inspector.rebuild "$@"; }

# The same over the workspace, with as much memory as unpacking took then.
inspect_workspace() {
    confined -i --mount "$workspace" --memory "$room" --memory-swap "$room" \
        --entrypoint python3 "$inspector" -P -m builders.inspector.rebuild "$@"
}

number() {
    case $1 in
    *[!0-9]* | '') could_not "the recovery kit names no number where one is due." ;;
    esac
}

clean() {
    [ -z "$holder" ] || docker rm -f "$holder" >/dev/null 2>&1
    docker volume rm -f "$volume" >/dev/null 2>&1
}

# --- what differs from deposit to deposit, each in a shell of its own -----------------------------

name_deposit() { # KIT
    kit=$1
    deposit=${kit%/documents/*}
    name=${deposit#opened/}
    case $name in
    *[!A-Za-z0-9._/-]* | *..* | /* | -*) name=deposit ;;
    esac
}

load_images() {
    seccomp=
    inspector=
    say "Rebuilding $name"
    say "1. Loading the images that built it"
    while IFS= read -r line; do
        case $line in
        '{"archiveSha256":"'*'"imageId":"sha256:'*) ;;
        *) continue ;;
        esac
        member imageId "$line"; id=${found#sha256:}; check_digest "$id"
        member tarSha256 "$line"; tar_digest=$found; check_digest "$tar_digest"
        member file "$line"
        case ${found#images/} in
        *[!A-Za-z0-9._-]* | '') could_not "the recovery kit names an image by a strange path." ;;
        esac
        image=opened/images/${found#images/}
        image=${image%.zst}
        # Told not to read what this loop reads.
        load "$id" "$image" "$tar_digest" </dev/null
        # The inspector's line is the first.
        [ -n "$inspector" ] || { reference "$id"; inspector=$ref; }
        check_tar "$image" "$tar_digest"
        say "   $image is the one"
    done <"$kit"
    [ -n "$inspector" ] || could_not "the recovery kit names no image."

    inspect seccomp </dev/null >opened/seccomp.json || could_not "the inspector does not start."
    seccomp=opened/seccomp.json
    steps=$(inspect lines <"$kit") || could_not "the recovery kit cannot be read."
}

lay_out() {
    volume=escrow-rebuild-$$
    holder=
    trap clean EXIT
    trap 'exit 2' HUP INT TERM

    set --
    disk=
    while read -r word a b rest; do
        case $word in
        volume) number "$a"; number "$b"; disk=$a; files=$b ;;
        part)
            case $a in
            parts/*[!A-Za-z0-9._/-]* | *..*) could_not "the recovery kit names a strange path." ;;
            parts/*) set -- "$@" "$a" ;;
            *) could_not "the recovery kit names a strange path." ;;
            esac
            ;;
        esac
    done <<END
$steps
END
    [ -n "$disk" ] || could_not "the recovery kit cannot be read."
    room=$((disk + 2147483648))

    # A remapped engine mounts volumes outside its remapping, and counts users from there on.
    owner=10001
    case $(docker info -f '{{.SecurityOptions}}') in
    *name=userns*)
        root=$(docker info -f '{{.DockerRootDir}}')
        root=${root##*/}
        owner=$((10001 + ${root%%.*}))
        ;;
    esac
    cpus=$(docker info -f '{{.NCPU}}')
    number "$cpus"
    docker volume create -d local -o type=tmpfs -o device=tmpfs \
        -o "o=size=$disk,nr_inodes=$files,uid=$owner,gid=$owner,mode=0755,nosuid,nodev" \
        "$volume" >/dev/null || could_not "the engine makes no volume in memory."
    workspace=type=volume,src=$volume,dst=/ws,volume-nocopy
    # The volume lives while a container has it; this one does nothing else.
    holder=$(confined -d --mount "$workspace" --memory 32m --memory-swap 32m --pids-limit 16 \
        --entrypoint sleep "$inspector" infinity) || could_not "the engine starts no container."

    say "2. Laying out $# deposited part(s)"
    altered=
    for part in "$@"; do
        [ -f "$deposit/$part" ] || could_not "$deposit/$part is not there." "Run open.sh first."
    done
    tar -C "$deposit" -cf - "documents/${kit##*/}" "$@" | inspect_workspace lay-out
    case $? in
    0) ;;
    10) altered=yes ;;
    *) could_not "the parts cannot be laid out." ;;
    esac
}

build() {
    same=0
    differs=0
    failed=
    skipped=
    say "3. Building, without network"
    while read -r word component a image memory thousandths processes file ended rest; do
        case $word in run | compare) number "$component" ;; *) continue ;; esac
        [ "$component" != "$skipped" ] || continue
        if [ "$word" = run ]; then
            for each in "$a" "$memory" "$thousandths" "$processes" "$file"; do number "$each"; done
            check_digest "${image#sha256:}"
            reference "${image#sha256:}"
            most=$((cpus * 1000))
            [ "$thousandths" -le "$most" ] || thousandths=$most
            fraction=$((thousandths % 1000 + 1000))
            script=$(inspect script "$component" "$a" <"$kit") || could_not "a phase cannot be read."
            say "   $rest"
            confined --mount "$workspace" --memory "$memory" --memory-swap "$memory" \
                --cpus "$((thousandths / 1000)).${fraction#1}" --pids-limit "$processes" \
                --ulimit "fsize=$file:$file" --entrypoint /bin/sh "$ref" -c "$script" </dev/null
            code=$?
            [ "$code" -ne 0 ] || continue
            skipped=$component
            if [ "$ended" = failed ]; then
                say "   ended with $code; the trial build failed here as well"
            else
                say "   ended with $code; the trial build passed here"
                failed=yes
            fi
        else
            inspect_workspace compare "$component" <"$kit"
            case $? in
            0) same=$((same + 1)) ;;
            10) differs=$((differs + 1)) ;;
            11) say "   the trial build made no result here that could be compared" ;;
            *) failed=yes ;;
            esac
            inspect_workspace results "$component" "rebuilt/$name" <"$kit" | tar -xof - || failed=yes
        fi
    done <<END
$steps
END
}

conclude() {
    [ -z "$failed" ] || could_not "a step that passed in the trial build does not pass here."
    if [ "$differs" -gt 0 ]; then
        say "DIFFERENT: not every result is byte for byte that of the trial build; see above."
        say "  Some builds write times, paths or random numbers into what they make. Which, is for"
        say "  people to find out: nothing was left out of the comparison. The results: rebuilt/$name"
        exit 1
    fi
    [ "$same" -gt 0 ] || could_not "the trial build made nothing that could be compared."
    if [ -n "$altered" ]; then
        say "DIFFERENT: the results are the trial build's, but not every part is as deposited."
        exit 1
    fi
    say "IDENTICAL: every result is byte for byte that of the trial build. They lie in rebuilt/$name"
}

# --- every deposit, or the one that was named ----------------------------------------------------

if [ $# -gt 0 ]; then
    set -- "${1%/}"/documents/kit-*
else
    set -- opened/*/deposit-*/documents/kit-*
fi
[ -f "$1" ] || could_not "there is no opened recovery kit here." \
    "Run open.sh first. A deposit whose source was carried forward is rebuilt by the earlier one."

worst=0
last=$1
for next in "$@" ''; do
    # A deposit that was examined twice has two kits, one after the other: the last one counts.
    if [ "${next%/documents/*}" != "${last%/documents/*}" ]; then
        (name_deposit "$last"; load_images; lay_out; build; conclude)
        code=$?
        [ "$code" -le "$worst" ] || worst=$code
    fi
    last=$next
done
exit "$worst"
