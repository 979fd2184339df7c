#!/usr/bin/env bash
# What `make install` installs is enough by itself: programs are built from it alone, in every way that README and
# examples/c name, and run against a gateway. Takes the profile of the build, `debug` or `release`.
set -euo pipefail
cd "$(dirname "$0")/.."

here=$PWD
target=$(realpath "${CARGO_TARGET_DIR:-target}")
export PROFILE=${1:-release}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
scripts/install.sh "$prefix"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig

# The README's program, as it stands there.
awk '/^```c$/ {inside = 1; next} /^```$/ {inside = 0} inside' README.md >"$work/hello.c"
[ -s "$work/hello.c" ] || { echo 'README.md has no program in C' >&2; exit 1; }
cp -r examples/c "$work/c"
cp -r examples/cpp "$work/cpp"
cd "$work"

# Runs a program against a gateway of its own.
against() {
    "$target/$PROFILE/ron-gateway" dev --listen 127.0.0.1:0 -- "$@"
}

warnings=(-Wall -Wextra -Werror)
cc "${warnings[@]}" hello.c $(pkg-config --cflags --libs ron_sdk) -o shared
LD_LIBRARY_PATH=$prefix/lib against ./shared
cc "${warnings[@]}" hello.c $(pkg-config --cflags ron_sdk) "$prefix/lib/libron_sdk.a" \
    $(pkg-config --static --libs ron_sdk | tr ' ' '\n' | grep -v '^-lron_sdk$' | tr '\n' ' ') -o static
! ldd ./static | grep libron_sdk || exit 1
against ./static
echo 'installed: pkg-config, shared and static'

for language in c cpp; do
    cmake -S $language -B build/$language -DCMAKE_PREFIX_PATH="$prefix" >cmake.log || { cat cmake.log >&2; exit 1; }
    cmake --build build/$language >cmake.log 2>&1 || { cat cmake.log >&2; exit 1; }
done
echo 'a file' >file
for program in c/quickstart c/quickstart-static c/epoll cpp/quickstart; do
    against "build/$program" file
done
echo 'installed: CMake, shared and static'

# What a release has is enough wherever it is unpacked.
if [ "$PROFILE" = release ]; then
    (cd "$here" && scripts/c_tarball.sh here "$work") >/dev/null
    tar -xzf ron_sdk-*-here.tar.gz
    sha256sum --quiet --check ron_sdk-*-here.tar.gz.sha256
    export PKG_CONFIG_PATH=$(echo "$work"/ron_sdk-*-here)/lib/pkgconfig
    cc "${warnings[@]}" hello.c $(pkg-config --cflags --libs ron_sdk) -o unpacked
    LD_LIBRARY_PATH=$(pkg-config --variable=libdir ron_sdk) against ./unpacked
    echo 'unpacked: pkg-config'
fi
