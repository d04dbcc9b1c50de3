# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Programs around the provider that are not part of the package."""
