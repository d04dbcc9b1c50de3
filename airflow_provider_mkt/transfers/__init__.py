# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Transfers between the vendors and files or databases, one module a vendor."""
