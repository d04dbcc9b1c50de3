# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a DAG file pays for importing every operator and sensor, over ``import airflow.sdk``.

    python benchmarks/import_cost.py [--runs 15] [--most 40]

Prints the median of fresh interpreters, next to ``HttpOperator`` where ``apache-airflow-providers-http`` is installed.
Exits with 1 when the provider costs more than ``--most`` milliseconds.

What is measured is importing, never compiling: all modules are compiled once into a folder of this run's own, whatever
``PYTHONDONTWRITEBYTECODE`` says and whatever was compiled before.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile

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


def measure(statements: str, runs: int, compiled: str) -> tuple[float, float]:
    """Return the medians of ``import airflow.sdk`` and of the statements after it, in milliseconds.

    :param compiled: folder for bytecode
    """
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": compiled}

    def once() -> list[float]:
        command = [sys.executable, "-c", MEASURE.format(statements=statements)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return [float(number) for number in done.stdout.split()]

    once()  # compiles
    base, over = zip(*(once() for _ in range(runs)), strict=True)
    return statistics.median(base), statistics.median(over)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--most", type=float, default=40.0, help="milliseconds that are acceptable")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mkt-bytecode-") as compiled:
        return report(arguments.runs, arguments.most, compiled)


def report(runs: int, most: float, compiled: str) -> int:
    """Measure, print, and return the exit code."""
    base, ours = measure(provider_statements(), runs, compiled)
    print(f"import airflow.sdk                            {base:8.0f} ms")
    print(f"  + every operator and sensor of this provider {ours:7.1f} ms")
    if importlib.util.find_spec("airflow.providers.http") is None:
        print("  + HttpOperator: apache-airflow-providers-http is not installed")
    else:
        _, http = measure("from airflow.providers.http.operators.http import HttpOperator", runs, compiled)
        print(f"  + HttpOperator alone                         {http:7.1f} ms")
        print(f"  ours / HttpOperator                          {ours / http:7.2f}")
    return int(ours > most)


if __name__ == "__main__":
    sys.exit(main())
