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
# What rustc says of a static library of the standard library: --print native-static-libs.
static_libs=(-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc)
root=${DESTDIR:-}$prefix
lib=$root/lib

# Fills a template in.
configured() {
    sed -e "s|@PREFIX@|$prefix|g; s|@VERSION@|$version|g; s|@ABI_MAJOR@|$abi_major|g; s|@STATIC_LIBS@|$2|g" "ffi/install/$1.in"
}

install -d "$lib/pkgconfig" "$lib/cmake/ron_sdk" "$root/include"
install -m 755 "$built/libron_sdk.so" "$lib/libron_sdk.so.$version"
ln -sf "libron_sdk.so.$version" "$lib/libron_sdk.so.$abi_major"
ln -sf "libron_sdk.so.$abi_major" "$lib/libron_sdk.so"
install -m 644 "$built/libron_sdk.a" "$lib/libron_sdk.a"
install -m 644 include/* "$root/include/"
configured ron_sdk.pc "${static_libs[*]}" >"$lib/pkgconfig/ron_sdk.pc"
joined=$(IFS=';'; echo "${static_libs[*]}")
for file in ron_sdkConfig.cmake ron_sdkConfigVersion.cmake; do
    configured $file "$joined" >"$lib/cmake/ron_sdk/$file"
done
echo "installed libron_sdk $version below $root"
