# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The two kinds of database that a store may be: their URLs, drivers and settings."""

from __future__ import annotations
