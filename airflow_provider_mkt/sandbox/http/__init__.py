# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The web application around the simulated vendors: gate, faults, control routes, start page."""
