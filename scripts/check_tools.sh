#!/usr/bin/env bash
# Ends with a line that names the fix where a tool is missing or too old.
set -euo pipefail

fix() {
    echo "$1" >&2
    exit 1
}

for tool in "$@"; do
    case $tool in
    cargo)
        command -v cargo >/dev/null || fix 'cargo is missing: install Rust from https://rustup.rs'
        ;;
    cc)
        command -v cc >/dev/null || fix 'cc is missing: install a C compiler (apt-get install gcc)'
        ;;
    c++)
        command -v c++ >/dev/null || fix 'c++ is missing: install a C++ compiler (apt-get install g++)'
        ;;
    cmake)
        command -v cmake >/dev/null || fix 'cmake is missing: install it (apt-get install cmake)'
        ;;
    pkg-config)
        command -v pkg-config >/dev/null || fix 'pkg-config is missing: install it (apt-get install pkg-config)'
        ;;
    git)
        command -v git >/dev/null || fix 'git is missing: install it (apt-get install git)'
        ;;
    node)
        fix='install Node 20 or newer with npm (https://nodejs.org, or apt-get install nodejs npm)'
        command -v node >/dev/null || fix "node is missing: $fix"
        node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' || fix "node is $(node --version): $fix"
        command -v npm >/dev/null || fix "npm is missing: $fix"
        ;;
    python3)
        command -v python3 >/dev/null || fix 'python3 is missing: install Python 3.11 or newer (apt-get install python3)'
        python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
            fix "python3 is $(python3 -V 2>&1): install Python 3.11 or newer"
        python3 -c 'import ensurepip, venv' 2>/dev/null ||
            fix 'python3 makes no virtual environments: install what it needs (apt-get install python3-venv)'
        ;;
    esac
done
