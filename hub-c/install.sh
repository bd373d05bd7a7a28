#!/bin/sh
# install.sh BUILT PREFIX [DESTDIR]: puts libhub from the directory BUILT, hub.h and hub.pc in place
set -eu
built=$1 prefix=$2 root=${3:-}$2
here=$(dirname "$0")
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$here/../Cargo.toml" | head -n 1)

mkdir -p "$root/lib/pkgconfig" "$root/include"
install -m 644 "$here/include/hub.h" "$root/include/hub.h"
install -m 644 "$built/libhub.a" "$root/lib/libhub.a"
if [ -e "$built/libhub.dylib" ]; then
    install -m 755 "$built/libhub.dylib" "$root/lib/libhub.dylib"
else
    install -m 755 "$built/libhub.so" "$root/lib/libhub.so.$version"
    ln -sf "libhub.so.$version" "$root/lib/libhub.so.${version%%.*}"
    ln -sf "libhub.so.$version" "$root/lib/libhub.so"
fi
sed -e "s|@PREFIX@|$prefix|" -e "s|@VERSION@|$version|" "$here/hub.pc.in" >"$root/lib/pkgconfig/hub.pc"
