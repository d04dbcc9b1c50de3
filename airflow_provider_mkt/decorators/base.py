# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A task whose function says what to submit.

The function's value is data: it is never rendered as a template. It is kept with the record of the submission, so a try
that goes on from what an earlier one has submitted does not call the function again, whatever it would return now.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.bases.decorator import DecoratedOperator, determine_kwargs
from airflow.sdk.definitions.context import context_merge

from airflow_provider_mkt.exceptions import ValidationError

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

RETURNED = "mkt.returned"
"""Key in the task state store of what the function has returned."""


class FunctionTask(DecoratedOperator):
    """Calls a function, and goes on as the operator that it is mixed with, with what the function has returned.

    A subclass says in :meth:`take` what the value means.
    """

    overwrite_rtif_after_execution = True
    """Airflow shows what was submitted, and not the placeholders that were rendered before the function ran."""

    def __init__(self, *, multiple_outputs: bool = True, **kwargs: Any) -> None:  # noqa: ARG002 - as the operator does
        super().__init__(multiple_outputs=True, **kwargs)

    def take(self, value: Any) -> None:
        """Set the operator's parameters to what the function has returned.

        :raises ValidationError: when that is no such value
        """
        raise NotImplementedError

    def execute(self, context: Context) -> Any:
        """Call the function, and do the work of the operator."""
        self.take(self.returned(context))
        return super().execute(context)

    def returned(self, context: Context) -> Any:
        """Call the function, and return its value."""
        names = dict(context)
        context_merge(names, self.op_kwargs)  # type: ignore[arg-type]
        return self.python_callable(*self.op_args, **determine_kwargs(self.python_callable, self.op_args, names))

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Any,
        context: Context,
        jinja_env: jinja2.Environment,
        seen_oids: set[int],
    ) -> None:
        """Render what the author wrote, and leave alone what a map hands over."""
        kept = {}
        if parent is self:
            kept = {name: value for name, value in self.op_kwargs.items() if name in self._mapped(context)}
            self.op_kwargs = {name: value for name, value in self.op_kwargs.items() if name not in kept}
        super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
        if kept:
            self.op_kwargs = {**self.op_kwargs, **kept}

    def _mapped(self, context: Context) -> Collection[str]:
        """Return the function's arguments whose values came from another task, by a map."""
        dag = self.get_dag()
        declared: Any = dag.task_dict.get(self.task_id) if dag else None
        expanded = getattr(declared, "op_kwargs_expand_input", None)
        if expanded is None:
            return ()
        values = expanded.value
        if isinstance(values, Mapping):  # expand(): by argument
            return [name for name, value in values.items() if not isinstance(value, (Mapping, list, tuple))]
        index = context["ti"].map_index or 0
        if isinstance(values, (list, tuple)) and isinstance(values[index], Mapping):
            return ()  # expand_kwargs() with what stands in the DAG file
        return [name for name in self.op_kwargs if name not in declared.partial_kwargs["op_kwargs"]]


class SubmittingFunctionTask(FunctionTask):
    """The same for an operator that submits once."""

    fields: ClassVar[Collection[str]] = ()
    """Parameters of the operator that the function may return, as an object."""
    called: ClassVar[str] = ""
    """What the function returns, for messages."""

    def returned(self, context: Context) -> Any:
        """Return what was submitted, while the next try goes by that; otherwise call the function."""
        from airflow_provider_mkt.tasks.state_store import keep

        store = context["task_state_store"]
        operator: Any = self
        if operator.submission(context).current(resubmit=operator.resubmit_asked(context)) is not None:
            kept: Any = store.get(RETURNED)
            if kept is not None:
                return kept["value"]
        value = json.loads(json.dumps(super().returned(context), default=self._plain))
        keep(store, RETURNED, {"value": value})
        return value

    def _plain(self, value: Any) -> str:
        if isinstance(value, date):  # a datetime is one as well
            return value.isoformat()
        if isinstance(value, Decimal):
            return str(value)
        raise ValidationError(f"The function of {self.task_id} returned a {type(value).__name__}; {self._wanted}.")

    @property
    def _wanted(self) -> str:
        return f"return {self.called}, or an object with some of {', '.join(self.fields)}"

    def take_object(self, value: Any) -> None:
        """Set the parameters that an object names.

        :raises ValidationError: when it is none, or names others
        """
        if not isinstance(value, Mapping) or not value:
            shown = "nothing" if value in (None, {}) else f"a {type(value).__name__}"
            raise ValidationError(f"The function of {self.task_id} returned {shown}; {self._wanted}.")
        for name, each in value.items():
            if name not in self.fields:
                close = difflib.get_close_matches(str(name), self.fields, 1)
                meant = f"did you mean {close[0]!r}?" if close else f"{self._wanted}."
                raise ValidationError(f"The function of {self.task_id} returned an unknown field {name!r}; {meant}")
            setattr(self, name, each)
