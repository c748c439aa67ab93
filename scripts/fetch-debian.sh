#!/usr/bin/env bash
# Unpack packages of another Debian suite into a folder, installing nothing:
# fetch-debian.sh SUITE FOLDER PACKAGE …
#
# Where Debian's packages come from is asked of this machine's own apt, and apt checks the signature
# of what it fetches, as for any package. FOLDER/versions gets a line "package version" for each.
# Ends with 3 when the suite no longer has a package; the message names it.
set -euo pipefail

suite=$1 folder=$2
shift 2

refuse() {
    echo "$1" >&2
    exit "${2:-1}"
}
command -v apt-get >/dev/null || refuse "These programs come from Debian's packages and this is no Debian: $*."

own=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
site_of() {
    apt-get indextargets --format '$(SITE)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)' "Created-By: Packages" |
        awk -F'|' -v own="$own" '$2 == own && $3 == "main" && $4 == "Debian" { print $1; exit }'
}
site=$(site_of)
if [ -z "$site" ] && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    site=$(site_of)
fi
[ -n "$site" ] || refuse "No Debian mirror is set up on this machine, so these cannot be fetched: $*."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/unpacked"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site $suite main" >"$work/sources.list"
# Lists of its own: what this machine installs from stays as it is.
apart=(-qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o APT::Sandbox::User=root -o Acquire::Languages=none)
# By itself apt passes over a list that it could not fetch, and every package would look gone.
apt-get "${apart[@]}" -o APT::Update::Error-Mode=any update ||
    refuse "Debian's list of packages of $suite could not be fetched; nothing is known of: $*."
for package in "$@"; do
    apt-cache "${apart[@]}" show --no-all-versions "$package" >/dev/null 2>&1 ||
        refuse "Debian $suite no longer has the package '$package'; see which takes its place." 3
    (cd "$work" && apt-get "${apart[@]}" download "$package") ||
        refuse "Debian $suite has the package '$package', and it could not be fetched; try again."
    deb=$(ls "$work/$package"_*.deb)
    dpkg-deb -x "$deb" "$work/unpacked"
    dpkg-deb -W --showformat '${Package} ${Version}\n' "$deb" >>"$work/unpacked/versions"
done
mkdir -p "$folder"
cp -a "$work/unpacked/." "$folder/"
