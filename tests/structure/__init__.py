# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The rules of the house, read from the source."""
