# Licensed under the Apache License, Version 2.0; see LICENSE.
"""How a request is described, judged, repeated and sent, and how lists are read. Knows no vendor."""
