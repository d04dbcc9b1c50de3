# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Submit once: a record written before every request that starts something."""
