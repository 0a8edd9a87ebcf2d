#!/bin/bash
# Makes stand-ins for the base images that are not there, under their real tags: the test
# of the images is to work where no registry is reached. What is there is never replaced:
# pull an image first, and it is used.
#   stand-ins.sh DIRECTORY RUN
# DIRECTORY keeps what is downloaded. Every image made has the label RUN, by which the
# caller removes it.
set -euo pipefail

directory=$(realpath -m "$1") run=$2
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
root=$here/../..

# The tags, from where they are used.
rust=$(sed -n 's/^ARG RUST_IMAGE=//p' "$root/docker/Dockerfile")
prometheus=$(sed -n 's/^ *image: *\(prom\/prometheus:.*\)/\1/p' "$root/docker/compose.yaml")

fail() {
    echo "stand-ins: $1" >&2
    exit 1
}

missing() {
    ! docker image inspect "$1" >/dev/null 2>&1
}

# pack NAME DIRECTORY: the tree as tar, the same for the same tree, so that the builder's
# cache knows it again.
pack() {
    tar --create --one-file-system --sort=name --mtime=@0 --numeric-owner --exclude='./var/cache/*' \
        --exclude='./var/log/*' --exclude=./var/lib/apt/lists/* --exclude='./usr/share/doc/*' \
        --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' --directory "$1" .
}

# import TAG TREE CHANGE...
import() {
    local tag=$1 tree=$2 changes=()
    shift 2
    for change in "LABEL tiny-cache.test=$run" "LABEL tiny-cache.stand-in=$tag" "$@"; do
        changes+=(--change "$change")
    done
    pack "$tree" | docker import "${changes[@]}" - "$tag" >/dev/null
    echo "stand-ins: made $tag; it is not the real image"
}

# Debian with a C compiler, and the Rust toolchain of this machine at Rust's usual place.
# With the certificate authorities of this machine too, which is how a build gets through
# a proxy that this machine trusts.
make_rust() {
    local tree=$directory/rust toolchain version
    version=$(rustc --version --verbose)
    if [ "$(cat "$tree.made" 2>/dev/null)" != "$version" ]; then
        [ "$(id -u)" = 0 ] || fail "debootstrap needs root: run as root, or 'docker pull $rust' first"
        command -v debootstrap >/dev/null || apt-get install -y -qq debootstrap >/dev/null \
            || fail "debootstrap is not installed: install it, or 'docker pull $rust' first"
        # debootstrap mounts /proc there, and may have been ended before it took that away.
        rm -rf --one-file-system "$tree"
        debootstrap --variant=minbase --include=ca-certificates,gcc,libc6-dev bookworm "$tree" >"$tree.log" \
            || fail "debootstrap failed; $tree.log says why"
        toolchain=$(rustc --print sysroot)
        mkdir -p "$tree/usr/local/cargo"
        cp -a "$toolchain/bin" "$toolchain/lib" "$tree/usr/local/cargo/"
        [ ! -d "$toolchain/libexec" ] || cp -a "$toolchain/libexec" "$tree/usr/local/cargo/"
        cp -L /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/"
        echo "$version" > "$tree.made"
    fi
    import "$rust" "$tree" 'ENV CARGO_HOME=/usr/local/cargo' \
        'ENV PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
}

# Debian's Prometheus where the real image has its own, with the same user and entry point.
make_prometheus() {
    local tree=$directory/prometheus packages=$directory/prometheus-packages program
    if [ ! -e "$tree.made" ]; then
        "$here/debian-packages.sh" "$packages" bookworm prometheus
        rm -rf "$tree"
        for program in prometheus promtool; do
            "$root/docker/rootfs.sh" "$packages/usr/bin/$program" "$tree"
        done
        mkdir -p "$tree/bin" "$tree/tmp" "$tree/usr/share"
        mv "$tree"/usr/local/bin/prom* "$tree/bin/"
        cp -a "$packages/usr/share/prometheus" "$tree/usr/share/"
        install -d -o 65534 -g 65534 "$tree/prometheus"
        touch "$tree.made"
    fi
    import "$prometheus" "$tree" 'USER 65534' 'ENV PATH=/bin' 'ENTRYPOINT ["/bin/prometheus"]'
}

mkdir -p "$directory"
for image in rust prometheus; do
    if missing "${!image}"; then
        "make_$image"
    fi
done
