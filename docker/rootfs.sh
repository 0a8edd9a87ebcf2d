#!/bin/sh
# Lays out the root directory of an image from scratch: one program, the shared
# libraries that it asks for, certificate authorities, and a user to run as.
#   rootfs.sh PROGRAM DIRECTORY
set -eu

program=$1
root=$2

mkdir -p "$root/etc/ssl/certs" "$root/usr/local/bin"
# Without the line tables: they are nine tenths of the file. Names of functions stay.
strip --strip-debug -o "$root/usr/local/bin/$(basename "$program")" "$program"

# Paths as the program looks them up, whatever the architecture; the loader is one of them.
ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done

cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
echo 'nonroot:x:65532:65532::/:/sbin/nologin' > "$root/etc/passwd"
echo 'nonroot:x:65532:' > "$root/etc/group"
# The default of glibc is the same; said here, as it would otherwise depend on its version.
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
