#!/usr/bin/env bash
# Sets up .venv and runs one job in it: circles, digits, text, test or grids. Needs Python 3.11
# or later.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    echo "usage: tools/run.sh circles|digits|text|test|grids [arguments]" >&2
    exit 2
}

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python; do
        if [[ -n $candidate ]] && "$candidate" -c \
            'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "error: Python 3.11 or later is needed; set PYTHON to its path" >&2
    exit 2
}

# Installs anew when pyproject.toml has changed since; $1 is the extra, or empty.
install() {
    local stamp=.venv/installed${1:+-$1}.toml
    [[ -x .venv/bin/python ]] || "$(find_python)" -m venv .venv
    if ! cmp -s pyproject.toml "$stamp"; then
        echo "installing into .venv ..." >&2
        .venv/bin/python -m pip install --quiet --editable ".${1:+[$1]}"
        cp pyproject.toml "$stamp"
    fi
}

# PyTorch is an oracle of some tests, which are skipped without it. Only a wheel that pip is
# configured to find locally is taken: the index would send gigabytes of CUDA libraries.
install_torch() {
    .venv/bin/python -c 'import torch' 2>/dev/null && return
    if timeout 300 .venv/bin/python -m pip install --quiet --no-index --no-deps torch==2.13.0 \
        2>/dev/null && timeout 300 .venv/bin/python -m pip install --quiet torch==2.13.0; then
        return
    fi
    echo "no local wheel of torch 2.13.0: comparisons with PyTorch are skipped" >&2
}

run_tests() {
    install test
    install_torch
    export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/mypy
    .venv/bin/python -m pytest -n 2 "$@"
}

[[ $# -ge 1 ]] || usage
job=$1
shift
case $job in
    circles)
        install ""
        .venv/bin/python examples/train_circles.py "$@"
        ;;
    digits)
        install examples
        .venv/bin/python examples/train_digits.py "$@"
        ;;
    text)
        install ""
        .venv/bin/python examples/train_text.py "$@"
        ;;
    test) run_tests "$@" ;;
    grids) run_tests --grid "$@" ;;
    *) usage ;;
esac
