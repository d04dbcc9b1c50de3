# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators, a module or a package a vendor, on bases for submitting once and for waiting."""

from airflow_provider_mkt.operators.preflight import PreflightOperator

__all__ = ["PreflightOperator"]
