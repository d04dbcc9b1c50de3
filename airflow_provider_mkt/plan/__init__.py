# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a launch would send, to whom, when and for how much: made by the operators that send it, and never sent."""
