# Licensed under the Apache License, Version 2.0; see LICENSE.
"""DAGs as a test hands them in: an object or a file, made known to Airflow's database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import DAG
    from sqlalchemy.orm import Session

BUNDLE = "dags-folder"


class DagImportError(AssertionError):
    """A file that makes no DAG, or cannot be imported."""


def load(dag: DAG | str | Path, dag_id: str | None = None) -> DAG:
    """Return the DAG that a file makes, or the one that is given.

    :param dag: the DAG, or the file
    :param dag_id: which DAG of a file that makes several
    :raises DagImportError: when the file makes no DAG, several, or cannot be imported
    """
    if not isinstance(dag, (str, Path)):
        return dag
    from airflow.dag_processing.dagbag import DagBag

    path = Path(dag).resolve()
    if not path.is_file():
        raise DagImportError(f"there is no file {path}")
    bag = DagBag(path, safe_mode=False)
    if bag.import_errors:
        raise DagImportError("\n".join(f"{file}: {error}" for file, error in bag.import_errors.items()))
    if not bag.dags:
        raise DagImportError(f"{path} makes no DAG. Is the function that makes it called at the end?")
    wanted = [dag_id] if dag_id else sorted(bag.dags)
    if len(wanted) != 1 or wanted[0] not in bag.dags:
        raise DagImportError(f"{path} makes these DAGs: {', '.join(sorted(bag.dags))}. Say which one with dag_id.")
    found: DAG = bag.dags[wanted[0]]
    return found


def register(dag: DAG, session: Session) -> Any:
    """Make a DAG known to Airflow's database, and return it as the scheduler has it.

    :raises DagImportError: when it cannot be serialized
    """
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.serialization.definitions.dag import SerializedDAG
    from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG

    dag.validate()
    DagBundlesManager().sync_bundles_to_db(session=session)
    session.commit()
    errors: dict[tuple[str, str], str] = {}
    lazy = LazyDeserializedDAG.from_dag(dag)
    update_dag_parsing_results_in_db(BUNDLE, None, [lazy], errors, None, set(), session)
    session.commit()
    if errors:
        raise DagImportError("\n".join(errors.values()))
    scheduled: Any = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    if not isinstance(scheduled, SerializedDAG):
        raise DagImportError(f"{dag.dag_id} cannot be serialized")
    # Serialized, a DAG has no functions; dag.test() of Airflow hands its callbacks on in the same way.
    scheduled.on_success_callback = dag.on_success_callback  # type: ignore[attr-defined]
    scheduled.on_failure_callback = dag.on_failure_callback  # type: ignore[attr-defined]
    return scheduled
