# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What processes share: rate budgets and access tokens, in one durable store.

What happens when the store fails is decided by what would be worse:

rate budgets
    Open: this process paces itself at a quarter of the limit, without bursts, and says so once.
tokens that can be fetched again
    Open: this process fetches its own and keeps it in memory, and says so once.
single-use refresh tokens
    Closed: an access token in memory is used while it lives, but no refresh token is spent, because its successor could
    not be stored. The task fails with a :class:`~.troubles.StoreError` and may be retried.
"""
