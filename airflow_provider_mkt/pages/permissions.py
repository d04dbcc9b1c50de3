# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Who may see and do what, by Airflow's own sign-in and permissions.

===========================  =======================================================================
to                           one needs, as in Airflow's REST API
===========================  =======================================================================
open any page                to read DAG runs
see a launch                 to read the task instances of its DAG
adopt, forget                to edit the task instances of its DAG
see what would be sent       to read the required actions ("HITL details") of its DAG
approve, refuse              to edit those: to answer them
stop or resume a DAG, a run  to edit the runs of that DAG
stop or resume more          to edit Airflow's variable ``mkt_stop``
see deliveries               to read assets: a delivery becomes an event of one
replay a delivery            to create asset events
===========================  =======================================================================

A page shows the launches of this deployment only: Airflow's permissions know no other one's DAGs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import (
    AssetDetails,
    DagAccessEntity,
    DagDetails,
    VariableDetails,
)
from airflow.configuration import conf
from airflow.models.dag import DagModel
from airflow.models.variable import Variable

from airflow_provider_mkt.state.launches.stops import VARIABLE

RUN, TASK_INSTANCE, ACTION = DagAccessEntity.RUN, DagAccessEntity.TASK_INSTANCE, DagAccessEntity.HITL_DETAIL


@dataclass(frozen=True)
class Permissions:
    """What a person may do.

    :param user: as Airflow's auth manager knows them
    """

    user: Any

    @property
    def name(self) -> str:
        """How the person is called in the audit log."""
        return str(self.user.get_name())

    def may_enter(self) -> bool:
        """Tell whether any page is for them."""
        return bool(get_auth_manager().is_authorized_dag(method="GET", access_entity=RUN, user=self.user))

    def readable(self, dag_ids: Iterable[str]) -> set[str]:
        """Return those of the DAGs whose launches they may see, as Airflow's own lists do."""
        known = [dag_id for dag_id in dag_ids if _of_known_team(dag_id)]
        teams = DagModel.get_dag_id_to_team_name_mapping(known) if known else {}
        by_team: dict[str | None, set[str]] = defaultdict(set)
        for dag_id in known:
            by_team[teams.get(dag_id)].add(dag_id)
        manager = get_auth_manager()
        found: set[str] = set()
        for team, of_team in by_team.items():
            found |= manager.filter_authorized_dag_ids(dag_ids=of_team, user=self.user, method="GET", team_name=team)
        return found

    def may_see(self, dag_id: str) -> bool:
        """Tell whether they may see the launches of a DAG."""
        return self._dag("GET", TASK_INSTANCE, dag_id)

    def may_settle(self, dag_id: str) -> bool:
        """Tell whether they may adopt and forget launches of a DAG."""
        return self._dag("PUT", TASK_INSTANCE, dag_id)

    def may_read_question(self, dag_id: str) -> bool:
        """Tell whether they may see exactly what a DAG asks about."""
        return self._dag("GET", ACTION, dag_id)

    def may_answer(self, dag_id: str) -> bool:
        """Tell whether they may approve and refuse launches of a DAG."""
        return self._dag("PUT", ACTION, dag_id)

    def may_stop(self, dag_id: str = "") -> bool:
        """Tell whether they may stop and resume a DAG; without one: everything, a vendor, a connection."""
        if dag_id:
            return self._dag("PUT", RUN, dag_id)
        details = VariableDetails(key=VARIABLE, team_name=Variable.get_team_name(VARIABLE))
        return bool(get_auth_manager().is_authorized_variable(method="PUT", details=details, user=self.user))

    def may_see_deliveries(self) -> bool:
        """Tell whether they may see what webhooks brought."""
        return bool(get_auth_manager().is_authorized_asset(method="GET", details=AssetDetails(), user=self.user))

    def may_replay(self) -> bool:
        """Tell whether they may have a delivery handed over again."""
        return bool(get_auth_manager().is_authorized_asset(method="POST", details=AssetDetails(), user=self.user))

    def _dag(self, method: Any, entity: DagAccessEntity, dag_id: str) -> bool:
        details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
        manager = get_auth_manager()
        return _of_known_team(dag_id) and bool(
            manager.is_authorized_dag(method=method, access_entity=entity, details=details, user=self.user)
        )


def _of_known_team(dag_id: str) -> bool:
    """Tell whether it is known whose a DAG is: with teams, one that Airflow no longer has may have been anybody's."""
    return not conf.getboolean("core", "multi_team", fallback=False) or DagModel.get_dagmodel(dag_id) is not None
