#!/usr/bin/env bash
# The Python packages, as people get them: wheels in a fresh virtual environment.
#
#   scripts/python.sh install FOLDER    builds the wheels and installs nothing but them into FOLDER
#   scripts/python.sh test [ARGUMENTS]  that, then ruff, mypy, pyright and pytest (with the arguments)
#   scripts/python.sh leaks             a million calls of each client, which must leave nothing behind
#   scripts/python.sh bench [ARGUMENTS] the benches, with a module that has the echo
#   scripts/python.sh scripts           ruff and mypy over scripts/
#   scripts/python.sh package           that a source distribution builds, and that an index would take everything
#
# PROFILE (release) is cargo's profile.
set -euo pipefail
cd "$(dirname "$0")/.."
package=bindings/python
gateway=bindings/python-gateway
profile=${PROFILE:-release}
out=${CARGO_TARGET_DIR:-target}/python

# Maturin and what tests take, in the versions of the lock file. Kept until that changes.
tools() {
    local lock=$package/requirements-dev.txt
    tools=$out/tools-$(python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read() + sys.version.encode()).hexdigest()[:16])' "$lock")
    if [ ! -e "$tools/complete" ]; then
        rm -rf "$out"/tools-*
        python3 -m venv "$tools"
        "$tools/bin/pip" install --quiet --disable-pip-version-check --requirement "$lock"
        touch "$tools/complete"
    fi
    tools=$(cd "$tools" && pwd)
}

wheels() {
    tools
    rm -rf "$out/wheels"
    local folder wheels=$PWD/$out/wheels
    case $out in /*) wheels=$out/wheels ;; esac
    for folder in $package $gateway; do
        # Not strict about old systems: these wheels are for this one.
        (cd $folder && "$tools/bin/maturin" build --quiet --locked --profile "$profile" --compatibility linux --out "$wheels")
    done
}

install() { # folder
    rm -rf "$1"
    python3 -m venv --without-pip "$1"
    "$tools/bin/pip" --quiet --disable-pip-version-check --python "$1/bin/python" install --no-index --no-deps "$out"/wheels/*.whl
}

# Beside the wheels, the tools, without another copy of them. Sets `python`.
with_tools() { # folder
    install "$1"
    local packages='import sysconfig; print(sysconfig.get_path("purelib"))'
    "$tools/bin/python" -c "$packages" >"$("$1/bin/python" -c "$packages")/tools.pth"
    python=$(cd "$1/bin" && pwd)/python
}

tests() {
    wheels
    with_tools "$out/test"
    "$tools/bin/ruff" check --quiet --config $package/pyproject.toml $package examples/python
    "$tools/bin/ruff" format --quiet --check --config $package/pyproject.toml $package examples/python
    "$tools/bin/mypy" --config-file $package/pyproject.toml --python-executable "$python" \
        $package/python $package/tests $package/benches
    "$tools/bin/mypy" --config-file $package/pyproject.toml --python-executable "$python" --scripts-are-modules \
        examples/python/*.py
    # It looks for the package with the first interpreter of PATH, and finds a node of its own where there is none.
    PATH=$(dirname "$python"):$PATH PYRIGHT_PYTHON_IGNORE_WARNINGS=1 \
        "$tools/bin/pyright" --verifytypes ron_app_sdk --ignoreexternal >"$out/pyright.log" || { cat "$out/pyright.log" >&2; return 1; }
    (cd $package && env -u RON_GATEWAY_BIN "$python" -m pytest -p no:cacheprovider --quiet "$@")
}

leaks() {
    wheels
    with_tools "$out/leaks"
    (cd $package && env -u RON_GATEWAY_BIN RON_LEAK_CALLS=1000000 "$python" -m pytest -p no:cacheprovider --quiet tests/test_leaks.py)
}

benches() {
    wheels
    rm -rf "$out/echo"
    local echo=$out/echo
    case $out in /*) ;; *) echo=$PWD/$out/echo ;; esac
    (cd $package && "$tools/bin/maturin" build --quiet --locked --profile "$profile" --features echo --compatibility linux --out "$echo")
    rm -f "$out"/wheels/ron_app_sdk-*.whl
    cp "$echo"/*.whl "$out/wheels"
    with_tools "$out/bench"
    (cd $package && "$python" -W ignore -m pytest -W ignore -p no:cacheprovider benches "$@")
}

packages() {
    wheels
    rm -rf "$out/dist"
    "$tools/bin/maturin" sdist --manifest-path $package/Cargo.toml --out "$out/dist"
    cp "$out"/wheels/*.whl "$out/dist"
    "$tools/bin/twine" check --strict "$out"/dist/*
    rm -rf "$out/sdist"
    python3 -m venv "$out/sdist"
    "$out/sdist/bin/pip" install --quiet --disable-pip-version-check --no-binary ron-app-sdk "$out"/dist/*.tar.gz
    "$out/sdist/bin/python" -c 'import ron_app_sdk; print("built from source:", ron_app_sdk.__version__)'
}

command=${1:-}
shift || true
case $command in
install)
    wheels
    install "$1"
    ;;
test) tests "$@" ;;
scripts)
    tools
    "$tools/bin/ruff" check --quiet scripts
    "$tools/bin/ruff" format --quiet --check scripts
    "$tools/bin/mypy" --config-file scripts/pyproject.toml scripts
    ;;
leaks) leaks ;;
bench) benches "$@" ;;
package) packages ;;
*)
    sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
