#!/bin/sh
# Make or refresh the virtual environment: make_venv.sh FOLDER [PYTHON]
# Installs the pinned requirements, each checked by its hash, and this package (editable). A finished environment is brought up to date, not rebuilt.
set -eu

venv=$1
wanted=${2:-}

fits() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 15))' >/dev/null 2>&1; }
can_make_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

find_python() {
    without_venv=
    for candidate in ${wanted:-python3.14 python3.13 python3.12 python3.11 python3.10 python3}; do
        fits "$candidate" || continue
        if can_make_venv "$candidate"; then
            printf '%s\n' "$candidate"
            return 0
        fi
        without_venv=$candidate
    done
    if [ -n "$without_venv" ]; then
        version=$("$without_venv" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "$without_venv cannot make virtual environments: its module venv or ensurepip is missing." >&2
        echo "On Debian and Ubuntu: apt install python$version-venv. Or name another Python: make PYTHON=/path/to/python" >&2
    elif [ -n "$wanted" ]; then
        echo "PYTHON=$wanted is not a Python from 3.10 to 3.14 that can be run." >&2
    else
        echo "No Python from 3.10 to 3.14 found (tried python3.14, 3.13, 3.12, 3.11, 3.10 and python3)." >&2
        echo "Install one, or name it: make PYTHON=/path/to/python" >&2
    fi
    return 1
}

if ! fits "$venv/bin/python" || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    echo "creating $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
echo "installing the pinned requirements into $venv"
"$venv/bin/python" -m pip install --quiet --require-hashes --requirement requirements/bootstrap.txt
# Bytecode now, or the first start of Airflow pays for it in four processes at once.
VIRTUAL_ENV="$venv" "$venv/bin/uv" pip sync --quiet --require-hashes --compile-bytecode --python "$venv/bin/python" \
    requirements/bootstrap.txt requirements/dev.txt
# What builds the package is among the requirements: isolated, the build would fetch it without a hash.
VIRTUAL_ENV="$venv" "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation \
    --editable .
