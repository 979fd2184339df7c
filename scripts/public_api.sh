#!/usr/bin/env bash
# Holds the Rust interface against its snapshot, ron-core/public-api.txt: a change of it shows itself in a review.
#
#   scripts/public_api.sh            prints what differs, and fails
#   scripts/public_api.sh --write    writes the snapshot
#   scripts/public_api.sh --missing  prints what is missing to do so, if anything
set -euo pipefail
cd "$(dirname "$0")/.."

snapshot=ron-core/public-api.txt
# What rustdoc says as JSON changes with the compiler, and so does the library that reads it.
compiler=1.95

case ${1:-} in
--missing)
    [[ $(rustc --version) == "rustc $compiler."* ]] || echo "rustc $compiler"
    exit
    ;;
esac

target=$(realpath "${CARGO_TARGET_DIR:-target}")
mkdir -p "$target/public-api"
# The output as JSON is not stable yet: the variable lets a stable rustdoc write it. For rustdoc alone, since dependencies
# would be built anew with it.
cat >"$target/public-api/rustdoc" <<'END'
#!/bin/sh
RUSTC_BOOTSTRAP=1 exec rustdoc "$@"
END
chmod +x "$target/public-api/rustdoc"
RUSTDOC=$target/public-api/rustdoc cargo rustdoc --quiet --locked -p ron-app-sdk --lib -- -Z unstable-options --output-format json
is=$target/public-api/public-api.txt
cargo run --quiet --locked -p ron-public-api -- "$target/doc/ron_app_sdk.json" >"$is"
if [ "${1:-}" = --write ]; then
    cp "$is" "$snapshot"
elif diff "$snapshot" "$is"; then
    echo "the public interface has $(wc -l <"$snapshot") items, all of them in $snapshot"
else
    echo "the public interface is not that of $snapshot: scripts/public_api.sh --write, and say why in the CHANGELOG" >&2
    exit 1
fi
