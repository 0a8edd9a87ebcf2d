#!/usr/bin/env bash
# Unpacks Debian's prometheus and promtool below a directory. Where apt has no lists of packages,
# it reads them into that directory, which needs no root.
#
# usage: fetch-prometheus.sh DIRECTORY
set -euo pipefail

mkdir -p "$1"
cd "$1"

download() {
    apt-get download --quiet --quiet "$@" prometheus
}

if ! download 2>/dev/null; then
    mkdir -p apt/lists/partial apt/archives/partial
    lists=(
        -o "Dir::State::Lists=$PWD/apt/lists"
        -o "Dir::Cache=$PWD/apt"
        -o APT::Sandbox::User=
        -o Debug::NoLocking=true
    )
    apt-get update --quiet --quiet "${lists[@]}"
    download "${lists[@]}"
fi

dpkg-deb --extract prometheus_*.deb .
usr/bin/promtool --version 2>&1 | head -n 1
