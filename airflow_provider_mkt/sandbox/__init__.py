# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The vendors, simulated over real HTTP on one port. It shares no code with the clients of this package."""
