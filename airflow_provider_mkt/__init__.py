# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Airflow provider for Flinque, Flow Social, Flodesk, Flow Living and Flokit."""

__version__ = "0.1.0"
