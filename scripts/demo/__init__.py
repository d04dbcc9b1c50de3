# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Runs a real Airflow against the simulated vendors, on this machine, and cleans up after itself."""
