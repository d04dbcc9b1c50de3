# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Attacks on the package, one module per kind. Which test proves which promise: docs/security.md."""
