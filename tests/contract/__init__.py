# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the client promises under every fault, over real sockets."""
