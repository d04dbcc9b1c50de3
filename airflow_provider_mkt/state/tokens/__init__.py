# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Access tokens and single-use refresh tokens."""
