#!/bin/sh
# install.sh BUILT PREFIX [DESTDIR]: puts libhub from the directory BUILT, hub.h and hub.pc in place
# install.sh --uninstall PREFIX [DESTDIR]: removes what it has put there, and no directory
#
# LIBDIR is where the libraries go if not to PREFIX/lib: PREFIX/lib64, PREFIX/lib/x86_64-linux-gnu.
set -eu
action=$1 prefix=$2 root=${3:-}
libdir=${LIBDIR:-$prefix/lib}
include=$root$prefix/include lib=$root$libdir
here=$(dirname "$0")
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$here/../Cargo.toml" | head -n 1)
major=${version%%.*}

if [ "$action" = --uninstall ]; then
    rm -f "$include/hub.h" "$lib/libhub.a" "$lib/libhub.dylib" "$lib/pkgconfig/hub.pc" \
        "$lib/libhub.so" "$lib/libhub.so.$major" "$lib/libhub.so.$version"
    exit
fi
built=$action

# The static library has the standard library of Rust in it, 20 MB with thousands of global names.
# This makes one object of what the functions of hub.h need, with these as its only global names, so
# that it can be linked beside any other. Where the tools cannot do it, it stays as it was built.
reduce() {
    names=$(sed -n 's/^[a-z].*[ *]\(hub_[a-z_]*\)(.*);$/\1/p' "$here/include/hub.h")
    roots='' keep=''
    for name in $names; do
        roots="$roots -u $name" keep="$keep --keep-global-symbol=$name"
    done
    # The names have no blanks.
    # shellcheck disable=SC2086
    ld -r --gc-sections $roots -o "$work/hub.o" "$built/libhub.a" &&
        objcopy --strip-unneeded --remove-section=.llvmbc --remove-section=.llvmcmd $keep "$work/hub.o" &&
        ar rcs "$work/libhub.a" "$work/hub.o"
}

# A value in hub.pc: what is a sign of its language or of the shell's is quoted.
quoted() {
    printf '%s' "$1" | sed -e 's/\\/\\\\/g' -e 's/["#`]/\\&/g'
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
reduce 2>"$work/errors" || cp "$built/libhub.a" "$work/libhub.a"

mkdir -p "$lib/pkgconfig" "$include"
install -m 644 "$here/include/hub.h" "$include/hub.h"
install -m 644 "$work/libhub.a" "$lib/libhub.a"
if [ -e "$built/libhub.dylib" ]; then
    install -m 755 "$built/libhub.dylib" "$lib/libhub.dylib"
else
    install -m 755 "$built/libhub.so" "$lib/libhub.so.$version"
    ln -sf "libhub.so.$version" "$lib/libhub.so.$major"
    ln -sf "libhub.so.$version" "$lib/libhub.so"
fi
cat >"$lib/pkgconfig/hub.pc" <<END
prefix=$(quoted "$prefix")
libdir=$(quoted "$libdir")
includedir=\${prefix}/include

Name: hub
Description: One event backend (epoll, poll, select, ...) chosen by name at run time
Version: $version
Cflags: -I"\${includedir}"
Libs: -L"\${libdir}" -lhub
Libs.private: -pthread -lm -ldl
END
