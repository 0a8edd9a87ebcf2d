#!/bin/bash
# Unpacks Debian packages, with those of their dependencies that this machine lacks, into a
# directory, without installing anything and without root. apt reads the machine's own sources, and
# keeps its state apart.
#   debian.sh [--backports] DIRECTORY PACKAGE...
set -euo pipefail

backports=
if [ "$1" = --backports ]; then
    backports=yes
    shift
fi
directory=$(realpath -m "$1")
shift
command -v apt-get >/dev/null || { echo "there is no apt-get here" >&2; exit 1; }

state=$directory.apt
rm -rf "$directory" "$state"
mkdir -p "$directory" "$state"/{lists/partial,cache/archives/partial,sources}
trap 'rm -rf "$state"' EXIT
options=(
    -qq
    -o Dir::State::Lists="$state/lists"
    -o Dir::Cache="$state/cache"
    -o Debug::NoLocking=true
    # As this user, who may write there, and not as apt's own.
    -o APT::Sandbox::User="$(id -un)"
)
if [ -n "$backports" ]; then
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:?this release has no name}")
    # shellcheck disable=SC2016  # apt's own variable
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Label: Debian' | head -n 1)
    [ -n "$mirror" ] || { echo "this machine's apt knows no Debian mirror" >&2; exit 1; }
    cp /etc/apt/sources.list.d/*.{list,sources} "$state/sources" 2>/dev/null || true
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$keyring] $mirror $codename-backports main" > "$state/sources/backports.list"
    options+=(-o Dir::Etc::SourceParts="$state/sources")
fi

apt-get "${options[@]}" update
apt-get "${options[@]}" --yes --no-install-recommends --download-only install "$@"
for package in "$state"/cache/archives/*.deb; do
    dpkg --extract "$package" "$directory"
done
