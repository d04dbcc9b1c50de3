# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``python -m airflow_provider_mkt.sandbox``."""

from __future__ import annotations

import argparse
import sys

from airflow_provider_mkt.sandbox.command import add_arguments, run


def main() -> int:
    """Parse the command line, run the sandbox, return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_mkt.sandbox",
        description="Serve the simulated marketing vendors on one port.",
    )
    add_arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
