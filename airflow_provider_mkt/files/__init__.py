# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Files that are written whole or not at all, and their formats."""
