#!/bin/bash
# Unpacks packages of a Debian suite into a directory, without installing them. apt works
# on a state of its own, so that neither this machine's sources nor its packages change.
#   debian-packages.sh DIRECTORY SUITE PACKAGE...
set -euo pipefail

directory=$(realpath -m "$1") suite=$2
shift 2

# The mirror that this machine's own apt uses.
# shellcheck disable=SC2016  # apt's own variable
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Label: Debian' | head -n 1)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
if [ -z "$mirror" ] || [ ! -r "$keyring" ]; then
    echo "debian-packages: this machine's apt knows no Debian mirror" >&2
    exit 1
fi

state=$directory.apt
rm -rf "$directory" "$state"
mkdir -p "$directory" "$state"/{lists,cache,debs}
touch "$state/status"
echo "deb [signed-by=$keyring] $mirror $suite main" > "$state/sources"
options=(
    -qq
    -o Dir::Etc::SourceList="$state/sources"
    -o Dir::Etc::SourceParts=-
    -o Dir::State::Lists="$state/lists"
    -o Dir::State::status="$state/status"
    -o Dir::Cache="$state/cache"
    # As this user, who may write there, and not as apt's own.
    -o APT::Sandbox::User="$(id -un)"
)
apt-get "${options[@]}" update
(cd "$state/debs" && apt-get "${options[@]}" download "$@")
for package in "$state"/debs/*.deb; do
    dpkg --extract "$package" "$directory"
done
rm -rf "$state"
