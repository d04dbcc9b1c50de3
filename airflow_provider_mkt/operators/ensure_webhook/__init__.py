# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Keeping one webhook subscription for an address: what there is, the plan, creating, deleting."""
