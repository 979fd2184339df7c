#!/usr/bin/env bash
# What people who do not build it get of the C interface: `scripts/c_tarball.sh PLATFORM FOLDER` writes
# ron_sdk-VERSION-PLATFORM.tar.gz, with a checksum beside it, into the folder.
set -euo pipefail
cd "$(dirname "$0")/.."

platform=${1:?'usage: scripts/c_tarball.sh PLATFORM FOLDER'}
folder=${2:?'usage: scripts/c_tarball.sh PLATFORM FOLDER'}
scripts/check_tools.sh cargo cc
cargo build --quiet --release --locked -p ron-ffi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

DESTDIR=$work/root scripts/install.sh /usr/local
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
name=ron_sdk-$version-$platform
mkdir -p "$folder" "$work/$name"
mv "$work"/root/usr/local/* "$work/$name/"
cp LICENSE-APACHE LICENSE-MIT CHANGELOG.md "$work/$name/"
cp -R examples/c "$work/$name/examples"
# Wherever it is unpacked: what pkg-config says begins where its file lies.
sed -i.bak 's|^prefix=.*|prefix=${pcfiledir}/../..|' "$work/$name/lib/pkgconfig/ron_sdk.pc"
rm "$work/$name/lib/pkgconfig/ron_sdk.pc.bak"
tar -C "$work" -czf "$folder/$name.tar.gz" "$name"
(cd "$folder" && { sha256sum "$name.tar.gz" 2>/dev/null || shasum -a 256 "$name.tar.gz"; } >"$name.tar.gz.sha256")
echo "$folder/$name.tar.gz"
