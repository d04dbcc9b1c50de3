# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Custom fields. The server makes the key out of the label."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from airflow_provider_mkt.sandbox.engine.fields import Body, Name
from airflow_provider_mkt.sandbox.engine.vendor import TheCall
from airflow_provider_mkt.sandbox.vendors.flodesk.account import ERRORS, Desk, Meta, Page, PerPage, paged

router = APIRouter(prefix="/flodesk/v1/custom-fields", tags=["Flodesk"], responses=ERRORS)


class NewField(Body):
    """A field to create."""

    label: Name


class FieldView(BaseModel):
    """A field."""

    key: str
    label: str


class Fields(BaseModel):
    """A page of fields."""

    meta: Meta
    data: list[FieldView]


@router.get("", response_model=Fields)
async def list_fields(desk: Desk, page: Page = 1, per_page: PerPage = 20) -> Any:
    """A page of fields."""
    rows = [{"key": key, "label": label} for key, label in desk.custom_fields.items()]
    return paged(rows, page, per_page)


@router.post("", status_code=201, response_model=FieldView)
async def create_field(desk: Desk, call: TheCall, new: NewField) -> Any:
    """Create a field; labels need not be unique."""
    stem = re.sub(r"[^a-z0-9]+", "_", new.label.lower()).strip("_") or "field"
    key = stem
    while key in desk.custom_fields:
        key = f"{stem}_{desk.number('custom_field')}"
    desk.custom_fields[key] = new.label
    desk.record(call, "custom_field.created", new.label, [key])
    return {"key": key, "label": new.label}


@router.get("/all", response_model=list[FieldView])
async def list_all_fields(desk: Desk) -> Any:
    """All fields, unpaged, a bare array."""
    return [{"key": key, "label": label} for key, label in desk.custom_fields.items()]
