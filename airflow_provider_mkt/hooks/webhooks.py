# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Where the secrets of an account's webhooks are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_mkt.hooks.account import Account
    from airflow_provider_mkt.state.webhook_secrets import WebhookSecrets


def secrets_of(account: Account) -> WebhookSecrets:
    """Return what is kept of the subscriptions of ``account``.

    They go by the login, or by the connection's id where there is none. The password has no part in it: a key that is
    replaced must not make the webhooks' secrets unknown.
    """
    from airflow_provider_mkt.state.webhook_secrets import WebhookSecrets  # noqa: PLC0415 - loads SQLAlchemy

    return WebhookSecrets(f"{account.vendor.conn_type}/{account.base_url}/{account.login or account.conn_id}")
