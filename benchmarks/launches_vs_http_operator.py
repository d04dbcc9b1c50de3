# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The same launches under the same bad luck: this provider beside a plain HttpOperator with two retries.

Run it in the project's folder: ``python -m benchmarks.launches_vs_http_operator [--launches 100]``. It is
``make chaos`` with fewer launches; needs apache-airflow-providers-http.
"""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from tests.chaos.soak import soak, soaking, table


def main() -> int:
    """Run both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--launches", type=int, default=100, help="how many (%(default)s)")
    options = parser.parse_args()
    with soaking(patience=5) as airflow:
        ours = soak(airflow, options.launches)
        theirs = soak(airflow, options.launches, plain=True)
    Console(width=100).print(table(ours, theirs))
    return 1 if ours.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
