# Sourced by the scripts beside it: sets `uv` to a uv that runs, and `root` to the repository.
# Takes the one on PATH; else installs one with pip into .uv, which git ignores.
# shellcheck shell=sh

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# An environment that is active in this shell is not the project's.
unset VIRTUAL_ENV

# uv 0.9 is the first whose build backend this project takes.
uv_runs() {
    found=$("$1" --version 2>/dev/null) || return 1
    found=${found#uv }
    major=${found%%.*}
    minor=${found#*.}
    minor=${minor%%.*}
    [ "$major" -gt 0 ] 2>/dev/null || [ "$minor" -ge 9 ] 2>/dev/null
}

find_python() {
    for python in python3.13 python3.12 python3.11 python3 python; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            return 0
        fi
    done
    echo "Error: Python 3.11 or newer is needed, and none was found on PATH. Install it from" \
        "https://www.python.org/downloads/ or your system's packages, then run this again." >&2
    exit 1
}

install_uv() {
    find_python
    echo "uv is not on PATH: installing it into $root/.uv, which git ignores." >&2
    if ! "$python" -m venv --clear "$root/.uv" >&2; then
        rm -rf "$root/.uv"
        echo "Error: $python cannot make a virtual environment. Install its venv module" \
            "(python3-venv on Debian and Ubuntu), or uv itself: https://docs.astral.sh/uv/" >&2
        exit 1
    fi
    if ! "$root/.uv/bin/python" -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1' >&2; then
        rm -rf "$root/.uv"
        echo "Error: pip cannot install uv. Look at the message above and the network," \
            "or install uv yourself: https://docs.astral.sh/uv/" >&2
        exit 1
    fi
}

if uv_runs uv; then
    uv=uv
else
    uv_runs "$root/.uv/bin/uv" || install_uv
    uv=$root/.uv/bin/uv
fi

# The first time takes half a minute, and should not look as if nothing happened. Bytecode is
# compiled now, so that the first start is as quick as the others.
# Takes more options of `uv sync`.
install_project() {
    [ -d "$root/backend/.venv" ] || echo "Installing what the project needs into backend/.venv." >&2
    "$uv" sync --quiet --inexact --compile-bytecode --project "$root/backend" "$@"
}
