# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What processes share: rate budgets, access tokens and webhooks' secrets, in one durable store.

What happens when the store fails is decided by what would be worse:

rate budgets
    Open: this host paces itself at a quarter of the limit, without bursts, and its processes say so once.
tokens that can be fetched again
    Open: this process fetches its own and keeps it in memory, and says so once.
single-use refresh tokens
    Closed: an access token in memory is used while it lives, but no refresh token is spent, because its successor could
    not be stored. The task fails with a :class:`~.errors.StoreError` and may be retried.
webhook subscriptions
    Closed: none is created, because the secret that the vendor shows once could not be stored, and because two tasks
    could not take turns.
"""
