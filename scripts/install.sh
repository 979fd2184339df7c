#!/usr/bin/env bash
# Installs the C interface below a prefix: `scripts/install.sh PREFIX`, after a build of ron-ffi. PROFILE names the
# folder of the build, DESTDIR another root for packagers.
set -euo pipefail
cd "$(dirname "$0")/.."

prefix=${1:?'usage: scripts/install.sh PREFIX'}
[[ $prefix == /* ]] || { echo "PREFIX is $prefix: it has to begin with /" >&2; exit 1; }
built=${CARGO_TARGET_DIR:-target}/${PROFILE:-release}
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
abi_major=0
# What the shared library is called, and what a static one needs besides: rustc --print native-static-libs.
case $(uname -s) in
Darwin)
    plain=libron_sdk.dylib major=libron_sdk.$abi_major.dylib full=libron_sdk.$version.dylib
    static_libs=(-liconv -lSystem -lc -lm '-framework Security' '-framework CoreFoundation')
    ;;
*)
    plain=libron_sdk.so major=$plain.$abi_major full=$plain.$version
    static_libs=(-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc)
    ;;
esac
root=${DESTDIR:-}$prefix
lib=$root/lib

# Fills a template in.
configured() {
    sed -e "s|@PREFIX@|$prefix|g; s|@VERSION@|$version|g; s|@SHARED@|$full|g; s|@SONAME@|$major|g; s|@STATIC_LIBS@|$2|g" "ffi/install/$1.in"
}

install -d "$lib/pkgconfig" "$lib/cmake/ron_sdk" "$root/include"
install -m 755 "$built/$plain" "$lib/$full"
ln -sf "$full" "$lib/$major"
ln -sf "$major" "$lib/$plain"
install -m 644 "$built/libron_sdk.a" "$lib/libron_sdk.a"
install -m 644 include/* "$root/include/"
configured ron_sdk.pc "${static_libs[*]}" >"$lib/pkgconfig/ron_sdk.pc"
joined=$(IFS=';'; echo "${static_libs[*]}")
for file in ron_sdkConfig.cmake ron_sdkConfigVersion.cmake; do
    configured $file "$joined" >"$lib/cmake/ron_sdk/$file"
done
echo "installed libron_sdk $version below $root"
