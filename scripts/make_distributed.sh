#!/bin/sh
# Make or refresh the environment of `make test-distributed`: make_distributed.sh PROGRAMS FOLDER
# It is what docker-compose.yaml runs: Airflow with Celery, FAB and this package, each requirement checked by its hash.
set -eu

programs=$1
folder=$2

mkdir -p "$folder"
if ! "$programs/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Airflow's Celery provider needs Python 3.11: the tests of docker-compose.yaml will say that it is not here." >&2
    exit 0
fi
[ -x "$folder/bin/python" ] || "$programs/python" -m venv "$folder"
echo "installing the pinned requirements into $folder"
"$programs/uv" pip sync --quiet --require-hashes --compile-bytecode --python "$folder/bin/python" \
    requirements/distributed.txt
"$programs/uv" pip install --quiet --python "$folder/bin/python" --no-deps --no-build-isolation --editable .
