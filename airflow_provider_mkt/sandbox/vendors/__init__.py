# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The simulated vendors: a module or a package each, whose ``VENDOR`` is the class."""
