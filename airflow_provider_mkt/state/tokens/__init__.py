# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Access tokens, fetched once and shared, and single-use refresh tokens."""
