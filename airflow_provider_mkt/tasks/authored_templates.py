# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a DAG's author wrote is a template. What an upstream task, a map, a file or a query hands over is data.

Airflow renders the fields of a mapped task after the values of its map are in them, and knows only some of those again.
Here it is told by parameter: each one comes either from the DAG file or from another task.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2.nativetypes import NativeEnvironment

from airflow_provider_mkt.tasks.signatures import WholeSignature

if TYPE_CHECKING:
    from airflow.sdk import DAG, Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial


class AuthoredTemplates:
    """Mixin for operators and sensors, to be named before Airflow's own base: renders what the author wrote, once.

    - A value from another task is never rendered and never read as a template file, however it came: as ``.output``, by
      ``expand``, ``expand_kwargs``, ``map`` or ``zip``, or inside a template.
    - Literals in ``partial``, ``expand``, ``expand_kwargs`` and ``default_args`` are rendered as ever.
    - ``render_template_as_native_obj`` keeps the type of what one expression yields. Text stays text: ``0x1F`` is not
      made a number, and ``"Quoted"`` keeps its quotes.

    Fields are told apart by the constructor's parameters of the same name. A field of a subclass that has no such
    parameter is taken for data as soon as the task is mapped over another one.
    """

    __signature__ = WholeSignature()

    @property
    def conn_id(self) -> str:
        """The connection to the vendor. The field has the parameter's name, so that is what Airflow shows."""
        name = parameter_of(type(self), "conn_id")
        if name not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no {name}")
        conn_id: str = vars(self)[name]
        return conn_id

    @conn_id.setter
    def conn_id(self, value: str) -> None:
        if (name := parameter_of(type(self), "conn_id")) == "conn_id":
            vars(self)[name] = value
        else:
            setattr(self, name, value)

    def __new__(cls, *_: Any, **given: Any) -> Any:
        """Refuse ``conn_id`` where the parameter has the vendor's name; Python would say that it was given twice.

        :raises TypeError: naming the right parameter
        """
        _refuse_conn_id(cls, given)
        return super().__new__(cls)

    @classmethod
    def partial(cls, **given: Any) -> OperatorPartial:
        """Begin a mapped task, as Airflow does.

        :raises TypeError: for ``conn_id``, naming the right parameter; Airflow would say so when the task runs
        """
        _refuse_conn_id(cls, given)
        begun: OperatorPartial = super().partial(**given)  # type: ignore[misc]
        return begun

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: jinja2.Environment,
        seen_oids: set[int],
    ) -> None:
        if parent is self:
            template_fields = [name for name in template_fields if not self.is_data(name, context)]
            # Airflow's own marks of what is data: by identity, which constructors change and equal values share.
            seen_oids = set()
        super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)  # type: ignore[misc]

    def is_data(self, name: str, context: Context) -> bool:
        """Tell whether the value of a field came from another task, by a map.

        A reference to another task (``.output``) is no data: the author wrote the reference, and only it is resolved.

        :param name: the field
        :param context: the running task's context
        """
        dag = self.get_dag()  # type: ignore[attr-defined]
        declared = dag.task_dict.get(self.task_id) if dag else None  # type: ignore[attr-defined]
        if declared is None or not declared.is_mapped:
            return False
        return _mapped_over_a_task(declared, parameter_of(type(self), name), context)

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Render as Airflow does, in an environment that keeps types where native values are asked for."""
        native = self._should_render_native(self.get_dag())  # type: ignore[attr-defined]
        if jinja_env is None or native is not isinstance(jinja_env, NativeEnvironment):
            jinja_env = self.get_template_env()  # type: ignore[attr-defined]
        if native and jinja_env.finalize is None:
            jinja_env = jinja_env.overlay(finalize=_as_it_is)
        return super().render_template(content, context, jinja_env, seen_oids)  # type: ignore[misc]

    def _render(self, template: jinja2.Template, context: Context, dag: DAG | None = None) -> Any:
        if self._should_render_native(dag or self.get_dag()):  # type: ignore[attr-defined]
            return _native(template, context)
        return super()._render(template, context, dag)  # type: ignore[misc]


def _refuse_conn_id(cls: type[Any], given: Collection[str]) -> None:
    if "conn_id" in given and (name := parameter_of(cls, "conn_id")) in inspect.signature(cls).parameters:
        raise TypeError(f"{cls.__name__} has no parameter 'conn_id': name the connection as {name}=…")


def parameter_of(cls: type[Any], field: str) -> str:
    """Return the constructor's parameter that sets a field: ``<type>_conn_id`` for ``conn_id``, else the same name.

    :param cls: the operator or sensor; one that names no vendor calls its connection ``conn_id``
    :param field: one of its template fields or private fields
    """
    vendor = getattr(cls, "vendor", None)
    return f"{vendor.conn_type}_conn_id" if field == "conn_id" and vendor is not None else field


def _mapped_over_a_task(declared: Any, parameter: str, context: Context) -> bool:
    """Tell whether a mapped task gets a parameter from another task."""
    values = declared.expand_input.value
    if isinstance(values, Mapping):  # expand(): by parameter
        if parameter in values:
            return not _literal(values[parameter])
        handed_over = not all(_literal(value) for value in values.values())
        return handed_over and not _written(declared, parameter)
    if isinstance(values, (list, tuple)) and isinstance(values[context["ti"].map_index or 0], Mapping):
        return False  # expand_kwargs() with what stands in the DAG file
    if not _written(declared, parameter):
        return True
    if parameter in declared.partial_kwargs and declared._disallow_kwargs_override:  # noqa: SLF001 - strict=True
        return False
    # The other task's value, if there is one, takes the place of the author's.
    replaced, _ = declared.expand_input.resolve(context)
    return parameter in replaced


def _written(declared: Any, parameter: str) -> bool:
    """Tell whether the author gave a mapped task a parameter, be it for the whole DAG."""
    from airflow.sdk.bases.operator import get_merged_defaults

    defaults, _ = get_merged_defaults(declared.dag, declared.task_group, None, None)
    return parameter in declared.partial_kwargs or parameter in defaults


def _literal(value: Any) -> bool:
    return isinstance(value, (Mapping, list, tuple))


@jinja2.pass_context
def _as_it_is(_: Any, value: Any) -> Any:
    """Hand on what an expression yields; because of the context, jinja makes no text of constants beforehand."""
    return value


def _native(template: jinja2.Template, context: Context) -> Any:
    """Return what the template's only expression yields, or else text."""
    names: Any = copy.copy(context)
    names.update((name, value) for name, value in template.globals.items() if name not in names)
    try:
        pieces = list(template.root_render_func(template.new_context(names, shared=True)))
    except Exception:  # noqa: BLE001 - this raises it again, with the template's line
        template.environment.handle_exception()
    if len(pieces) == 1 and not isinstance(pieces[0], jinja2.Undefined):
        return pieces[0]
    return "".join(map(str, pieces))
