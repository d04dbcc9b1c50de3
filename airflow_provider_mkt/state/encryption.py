# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Encryption of what is stored, with Airflow's own Fernet keys (``[core] fernet_key``).

Several keys, separated by commas, are a rotation under way: the first one encrypts, all of them decrypt.
"""

from __future__ import annotations

import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from airflow_provider_mkt.state.errors import StoreError, StoreFailure


class Encryptor:
    """Encrypts and decrypts short texts.

    ``rotating`` tells whether there are former keys as well.

    :param keys: Fernet keys separated by commas, the present one first
    :raises StoreError: when there is no usable key; secrets are never stored in the clear
    """

    def __init__(self, keys: str) -> None:
        try:
            fernets = [Fernet(key.strip()) for key in keys.split(",")]
        except ValueError:
            raise StoreError(StoreFailure.NO_KEY) from None
        self._fernet = MultiFernet(fernets)
        self.rotating = len(fernets) > 1

    def __repr__(self) -> str:
        return "<Encryptor>"

    def encrypt(self, text: str) -> str:
        """Encrypt ``text``."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, encrypted: str) -> str:
        """Decrypt what :meth:`encrypt` returned.

        :raises StoreError: when none of the keys fits
        """
        try:
            return self._fernet.decrypt(encrypted).decode()
        except InvalidToken:
            raise StoreError(StoreFailure.OTHER_KEY) from None

    def reencrypt(self, encrypted: str) -> str:
        """Encrypt with the present key what any of the keys decrypts.

        :raises StoreError: when none of the keys fits
        """
        try:
            return self._fernet.rotate(encrypted).decode()
        except InvalidToken:
            raise StoreError(StoreFailure.OTHER_KEY) from None


def configured_encryptor() -> Encryptor:
    """Return the encryptor with the keys that Airflow is configured with.

    :raises StoreError: when there is no usable key
    """
    from airflow.sdk.configuration import conf  # reads the configuration

    return Encryptor(conf.get("core", "fernet_key", fallback=""))


def digest(text: str) -> str:
    """Return a name for ``text`` that does not reveal it. A text may hold half a surrogate pair, as JSON may."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
