# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One hook a vendor: authentication, session, and one method per endpoint."""
