#!/bin/sh
# Run a test command under each Python: test_pythons.sh FOLDER "VERSIONS" ARGUMENTS-OF-PYTHON…
# Each Python gets an environment of its own in FOLDER, with the pinned requirements. A Python that is not there is skipped,
# with one line. Ends with 1 when the tests failed under any of them, or when none was there.
set -u

folder=$1
versions=$2
shift 2

is_version() { "$1" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$2')" >/dev/null 2>&1; }

find_version() {
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python; do
        if is_version "$candidate" "$1"; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

ran=0
failed=0
summary=
for version in $versions; do
    if ! python=$(find_version "$version"); then
        summary="${summary}Python $version: not installed, skipped
"
        continue
    fi
    ran=1
    venv=$folder/$version
    if sh "$(dirname "$0")/make_venv.sh" "$venv" "$python" && "$venv/bin/python" "$@"; then
        summary="${summary}Python $version: passed
"
    else
        failed=1
        summary="${summary}Python $version: FAILED
"
    fi
done
printf '%s' "$summary"
if [ "$ran" = 0 ]; then
    echo "None of the Pythons is installed: $versions" >&2
    exit 1
fi
exit "$failed"
