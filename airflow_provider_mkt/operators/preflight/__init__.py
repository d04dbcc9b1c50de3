# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Ask everything that can be asked without effect, for all steps of a launch, before its first step."""

from airflow_provider_mkt.operators.preflight.operator import PreflightOperator

__all__ = ["PreflightOperator"]
