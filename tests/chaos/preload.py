# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What every try needs, imported once by the process that the tries are forked from."""

from __future__ import annotations

from importlib import import_module

from tests.chaos import clock

# Before anybody keeps a reference to time.time.
clock.install()

for name in (
    "requests",
    "airflow.sdk.execution_time.comms",
    "airflow.sdk.execution_time.supervisor",
    "airflow_provider_mkt.client.api_client",
    "airflow_provider_mkt.operators.flinque",
    "airflow_provider_mkt.operators.flinque.webhooks",
    "airflow_provider_mkt.operators.flodesk",
    "airflow_provider_mkt.operators.flokit",
    "airflow_provider_mkt.operators.flow_living",
    "airflow_provider_mkt.operators.flow_social",
    "airflow_provider_mkt.operators.flow_social.webhooks",
    "airflow_provider_mkt.state.budgets.shared",
    "airflow_provider_mkt.state.tokens.shared",
    "airflow_provider_mkt.state.webhook_secrets",
    "airflow_provider_mkt.triggers.watch",
    "tests.chaos.thaws",
    "tests.chaos.tries",
):
    import_module(name)
