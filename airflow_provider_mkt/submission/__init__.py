# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Submitting once: a record before every request that starts something, and what a later try makes of it."""
