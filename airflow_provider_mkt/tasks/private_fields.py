# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Parameters that hold personal data: templates work in them, but Airflow neither stores nor shows them.

Airflow writes what it renders of ``template_fields`` into its database and shows it in the UI. A private field is
rendered by the running task itself, into a value that the task does not keep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg

from airflow_provider_mkt.tasks.authored_templates import AuthoredTemplates

if TYPE_CHECKING:
    from airflow.sdk import Context


class PrivateFields(AuthoredTemplates):
    """Mixin for operators and sensors with private fields. None of them may stand in ``template_fields``.

    Values of a mapped task (``partial``, ``expand``) are part of the DAG that Airflow stores: they are not private.
    """

    def keep_private(self, **fields: Any) -> None:
        """Set parameters as they were given; a task that one of them comes from runs before this one."""
        for name, value in fields.items():
            setattr(self, name, value)
            XComArg.apply_upstream_relationship(self, value)  # type: ignore[arg-type]

    def private(self, name: str, context: Context) -> Any:
        """Return the parameter ``name``, rendered if the DAG's author wrote it.

        :param name: a parameter set by :meth:`keep_private`
        :param context: the running task's context
        """
        value = getattr(self, name)
        return value if self.is_data(name, context) else self.render_template(value, context)
