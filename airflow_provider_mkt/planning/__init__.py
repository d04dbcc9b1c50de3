# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Files that marketing people write: campaign briefs, content calendars, audiences."""
