# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a DAG file pays for importing every operator and sensor, over ``import airflow.sdk``.

    python benchmarks/import_cost.py [--runs 15] [--most 40]

Prints the median of fresh interpreters, next to ``HttpOperator`` where ``apache-airflow-providers-http`` is installed.
Exits with 1 when the provider costs more than ``--most`` milliseconds.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys

from airflow_provider_mkt.provider_info import get_provider_info

MEASURE = """
import time
begun = time.perf_counter()
import airflow.sdk
middle = time.perf_counter()
{statements}
print((middle - begun) * 1000, (time.perf_counter() - middle) * 1000)
"""


def provider_statements() -> str:
    """Import every module of operators and sensors, as a DAG that uses all of them does."""
    info = get_provider_info()
    modules = [name for room in ("operators", "sensors") for entry in info[room] for name in entry["python-modules"]]
    return "\n".join(f"import {module}" for module in modules)


def measure(statements: str, runs: int) -> tuple[float, float]:
    """Return the medians of ``import airflow.sdk`` and of the statements after it, in milliseconds."""
    command = [sys.executable, "-c", MEASURE.format(statements=statements)]
    subprocess.run(command, check=True, capture_output=True)  # compiles to .pyc
    runs_ = [
        tuple(map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()))
        for _ in range(runs)
    ]
    base, over = zip(*runs_, strict=True)
    return statistics.median(base), statistics.median(over)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--most", type=float, default=40.0, help="milliseconds that are acceptable")
    arguments = parser.parse_args()
    base, ours = measure(provider_statements(), arguments.runs)
    print(f"import airflow.sdk                            {base:8.0f} ms")
    print(f"  + every operator and sensor of this provider {ours:7.1f} ms")
    if importlib.util.find_spec("airflow.providers.http") is None:
        print("  + HttpOperator: apache-airflow-providers-http is not installed")
    else:
        _, http = measure("from airflow.providers.http.operators.http import HttpOperator", arguments.runs)
        print(f"  + HttpOperator alone                         {http:7.1f} ms")
    return int(ours > arguments.most)


if __name__ == "__main__":
    sys.exit(main())
