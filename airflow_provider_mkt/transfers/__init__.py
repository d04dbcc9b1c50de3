# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators that move rows: from a database to a vendor, from a vendor to a file."""
