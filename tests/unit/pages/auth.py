# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Airflow's simple auth manager, with one user who has to do with one DAG only."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

USERS = {"ada": "admin", "uma": "user", "vera": "viewer", "sam": "user", "nobody": ""}
ONLY = {"sam": "spring"}
"""Users, and the only DAG that each may see and edit."""


def user(name: str) -> SimpleAuthManagerUser:
    return SimpleAuthManagerUser(username=name, role=USERS[name])


class PerDagAuthManager(SimpleAuthManager):
    """It knows users for one DAG."""

    def is_authorized_dag(self, *, method: Any, user: Any, access_entity: Any = None, details: Any = None) -> bool:
        only = ONLY.get(user.username)
        if only and details is not None and details.id not in (None, only):
            return False
        return bool(super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details))
