# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The control API below ``/__sandbox__/``: what a test may order and ask. It needs no credentials."""

from __future__ import annotations

import difflib
import json
import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from airflow_provider_mkt.sandbox.connections import connections
from airflow_provider_mkt.sandbox.engine.faults import KINDS, Fault
from airflow_provider_mkt.sandbox.engine.fields import address_problem
from airflow_provider_mkt.sandbox.engine.forced_outcomes import Outcome
from airflow_provider_mkt.sandbox.engine.outbox import target_of
from airflow_provider_mkt.sandbox.engine.vendor import MEGABYTE, VendorError
from airflow_provider_mkt.sandbox.engine.world import World
from airflow_provider_mkt.sandbox.http.openapi import describe
from airflow_provider_mkt.sandbox.http.payload import read
from airflow_provider_mkt.sandbox.simulation import Simulation

router = APIRouter(prefix="/__sandbox__", include_in_schema=False)
PLACE = re.compile(r"\{[^/{}]*\}|\*|\?")
"""A part of a path that stands for others."""


async def _simulation(request: Request) -> Simulation:
    simulation: Simulation = request.app.state.simulation
    return simulation


async def _world(request: Request) -> World:
    return (await _simulation(request)).world


async def _order(request: Request) -> dict[str, Any]:
    """The JSON object of a control request; an empty body is an empty object."""
    raw, too_large = await read(request.receive, 10 * MEGABYTE)
    if too_large:
        raise VendorError(413, "at most 10 MB")
    try:
        order = json.loads(raw or b"{}")
    except (ValueError, RecursionError):
        order = None
    if not isinstance(order, dict):
        raise VendorError(400, "expected a JSON object")
    return order


TheSimulation = Annotated[Simulation, Depends(_simulation)]
TheWorld = Annotated[World, Depends(_world)]
Order = Annotated[dict[str, Any], Depends(_order)]


@router.get("/health")
async def health(simulation: TheSimulation) -> Any:
    """Whether the sandbox answers, and how fast its time goes."""
    return {"status": "ok", "speed": simulation.world.clock.speed, "vendors": list(simulation.vendors)}


@router.post("/reset")
async def reset(simulation: TheSimulation) -> Any:
    """Back to the first moment."""
    simulation.reset()
    return {"status": "ok"}


@router.post("/seed")
async def seed(simulation: TheSimulation, order: Order) -> Any:
    """Add data in bulk: ``{"flinque": {"attribution_orders": 1000000}}``."""
    try:
        simulation.bulk_seed(order)
    except ValueError as error:
        raise VendorError(400, str(error)) from None
    return {"status": "ok"}


@router.get("/ledger")
async def ledger(
    world: TheWorld,
    vendor: str | None = None,
    effect: str | None = None,
    reference: str | None = None,
    since: Annotated[int, Query(ge=0)] = 0,
) -> Any:
    """Side effects, newest last; ``since`` leaves out the first ones."""
    return JSONResponse(world.ledger.entries(vendor, effect, reference, since))


@router.get("/ledger/summary")
async def summary(world: TheWorld) -> Any:
    """How often each thing really happened."""
    return world.ledger.summary()


@router.get("/requests")
async def requests(world: TheWorld, vendor: str | None = None, since: Annotated[int, Query(ge=0)] = 0) -> Any:
    """The request log; ``since`` is a ``seq``."""
    return JSONResponse(world.request_log.entries(vendor, since))


@router.get("/faults")
async def get_faults(world: TheWorld) -> Any:
    """Rules in force or used up, and what kinds exist."""
    kinds = {kind: {"description": text, "parameters": sorted(names)} for kind, (text, names) in KINDS.items()}
    return {"faults": world.faults.describe(), "kinds": kinds}


@router.post("/faults")
async def add_fault(request: Request, world: TheWorld, order: Order) -> Any:
    """Add a rule."""
    try:
        rule = world.faults.add(order)
    except ValueError as error:
        raise VendorError(400, str(error)) from None
    routes = [(method, route) for route in _routes(request.app) for method in route.methods]
    if not any(_meets(rule, method, route) for method, route in routes):
        world.faults.remove(rule.number)
        close = difflib.get_close_matches(rule.route, [f"{method} {route.path}" for method, route in routes], 1)
        meant = f"; did you mean '{close[0]}'?" if close else ""
        raise VendorError(400, f"no vendor has a route {rule.route!r}, so the fault would hit nothing{meant}")
    return rule.describe()


def _routes(app: FastAPI) -> list[APIRoute]:
    """Return the routes of the vendors."""
    return [route for route in app.routes if isinstance(route, APIRoute) and route.include_in_schema]


def _meets(rule: Fault, method: str, route: APIRoute) -> bool:
    """Tell whether a rule speaks of requests to a route: with an id in the route's place, or in the rule's."""
    path = PLACE.sub("x", rule.route.partition(" ")[2].strip())
    there = PLACE.sub("x", route.path)
    return rule.matches(method, there) or (rule.matches(method, path) and route.path_regex.match(path) is not None)


@router.delete("/faults")
async def clear_faults(world: TheWorld) -> Any:
    """Remove all rules."""
    world.faults.clear()
    return {"status": "ok"}


@router.delete("/faults/{number}")
async def remove_fault(world: TheWorld, number: int) -> Any:
    """Remove one rule."""
    if not world.faults.remove(number):
        raise VendorError(404, "no such fault")
    return {"status": "ok"}


@router.get("/switches")
async def get_switches(world: TheWorld) -> Any:
    """Assumed facts, their values and meaning."""
    return world.switches.describe()


@router.post("/switches")
async def set_switches(world: TheWorld, order: Order) -> Any:
    """Change assumed facts."""
    try:
        world.switches.set(order)
    except ValueError as error:
        raise VendorError(400, str(error)) from None
    return world.switches.describe()


@router.get("/limits")
async def get_limits(world: TheWorld) -> Any:
    """Rate limits by bucket."""
    return {name: vars(limit) for name, limit in world.limits.limits.items()}


@router.post("/limits")
async def set_limits(world: TheWorld, order: Order) -> Any:
    """Override rate limits; null lifts one, ``*`` means all."""
    try:
        world.limits.override(order)
    except (ValueError, TypeError, AttributeError) as error:
        raise VendorError(400, str(error)) from None
    return {name: vars(limit) for name, limit in world.limits.limits.items()}


@router.post("/clock")
async def advance(world: TheWorld, order: Order) -> Any:
    """Move vendor time ahead."""
    seconds = order.get("advance")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 1e9:
        raise VendorError(400, "advance must be a number of seconds from 0 to 1e9")
    world.clock.advance(seconds)
    return {"status": "ok", "advanced": seconds}


@router.get("/outcomes")
async def get_outcomes(world: TheWorld) -> Any:
    """Open orders for outcomes."""
    return world.forced_outcomes.describe()


@router.post("/outcomes")
async def add_outcome(simulation: TheSimulation, order: Order) -> Any:
    """Force how the next matching campaign, post, report or sync ends."""
    if order.get("vendor") not in simulation.vendors or not isinstance(order.get("outcome"), str):
        raise VendorError(400, f"vendor must be one of {', '.join(simulation.vendors)}, outcome a text")
    try:
        simulation.world.forced_outcomes.add(Outcome(**order))
    except TypeError as error:
        raise VendorError(400, str(error)) from None
    return simulation.world.forced_outcomes.describe()


@router.get("/deliveries")
async def deliveries(world: TheWorld, vendor: str | None = None) -> Any:
    """Webhooks that were sent, or wait for that, the oldest first."""
    return JSONResponse([each.describe() for each in world.outbox.deliveries(vendor)])


@router.post("/webhooks")
async def set_webhooks(simulation: TheSimulation, order: Order) -> Any:
    """Where webhooks go: ``target`` stands for all addresses, ``callbacks`` are what a vendor's staff would set up."""
    callbacks = order.get("callbacks", {})
    takers = {name: each for name, each in simulation.vendors.items() if each.takes_callback}
    if not isinstance(callbacks, dict) or not set(callbacks) <= set(takers):
        raise VendorError(400, f"callbacks must be an object of addresses for some of {', '.join(takers)}")
    if any(url is not None and address_problem(url, https_only=False) for url in callbacks.values()):
        raise VendorError(400, "a callback must be an http or https URL, or null")
    try:
        if "target" in order:
            simulation.world.outbox.target = target_of(order["target"])
    except ValueError as error:
        raise VendorError(400, str(error)) from None
    for name, url in callbacks.items():
        # What is over by now is told to nobody.
        takers[name].look()
        takers[name].callback = url
    return {
        "target": simulation.world.outbox.target,
        "callbacks": [name for name, each in takers.items() if each.callback],
    }


@router.post("/events")
async def emit_event(simulation: TheSimulation, order: Order) -> Any:
    """Have a vendor tell of an event: ``{"vendor": "flinque", "event": "creator.added", "data": {"id": "cr_1"}}``."""
    vendor, event, data = simulation.vendors.get(str(order.get("vendor"))), order.get("event"), order.get("data", {})
    if vendor is None or not isinstance(event, str) or not isinstance(data, dict):
        raise VendorError(400, f"vendor must be one of {', '.join(simulation.vendors)}, event a text, data an object")
    try:
        vendor.emit(event, data)
    except ValueError as error:
        raise VendorError(400, str(error)) from None
    return {"status": "ok"}


@router.get("/credentials")
async def credentials(simulation: TheSimulation) -> Any:
    """Everything that is accepted as a credential at the moment."""
    return {name: vendor.credentials() for name, vendor in simulation.vendors.items()}


@router.get("/connections")
async def get_connections(simulation: TheSimulation, request: Request) -> Any:
    """The Airflow connections to this sandbox."""
    return connections(_base(request), simulation.vendor_types)


@router.get("/openapi.json")
async def openapi(simulation: TheSimulation, request: Request, vendor: str | None = None) -> Any:
    """The OpenAPI description of a vendor, or of all."""
    try:
        return describe(request.app, simulation.vendor_types, _base(request), vendor)
    except ValueError as error:
        raise VendorError(400, str(error)) from None


def _base(request: Request) -> str:
    """The address under which clients reach the sandbox."""
    return str(request.app.state.public_url or request.base_url)
