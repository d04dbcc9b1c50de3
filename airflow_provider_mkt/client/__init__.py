# Licensed under the Apache License, Version 2.0; see LICENSE.
"""How a request is described, judged and sent. Knows no vendor."""
