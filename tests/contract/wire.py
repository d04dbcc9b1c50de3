# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Sockets that misbehave: relays, proxies and name resolution for faults that happen below HTTP."""

from __future__ import annotations

import datetime as dt
import ipaddress
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VENDOR_HOST = "vendor.test"
"""A name that only :class:`Resolver` knows."""


class Listener:
    """A socket on a free loopback port that hands every connection to ``serve`` in a thread of its own."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, client: socket.socket) -> None:
        raise NotImplementedError

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self._open.add(client)
            threading.Thread(target=self._guarded, args=(client,), daemon=True).start()

    def _guarded(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            self.serve(client)
        self._open.discard(client)

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for client in list(self._open):
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)


class Relay(Listener):
    """Passes everything on to the sandbox, and spoils it on demand.

    ``stale``: drops a connection on which a second request arrives, as a server does that has just given up waiting.
    ``cut``: the answer's head and this many bytes of its body, then the end.
    ``tls``: speaks TLS with clients.
    """

    def __init__(self, upstream: int, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.upstream = upstream
        self.tls = tls
        self.stale = False
        self.cut: int | None = None

    def serve(self, client: socket.socket) -> None:
        if self.tls is not None:
            client = self.tls.wrap_socket(client, server_side=True)
        with client, socket.create_connection(("127.0.0.1", self.upstream)) as server:
            answered = b""
            while True:
                ready, _, _ = select.select([client, server], [], [], 30)
                if client in ready:
                    data = client.recv(65536)
                    if not data or (answered and self.stale):
                        return
                    server.sendall(data)
                if server in ready:
                    data = server.recv(65536)
                    if not data:
                        return
                    answered += data
                    if self.cut is None:
                        client.sendall(data)
                    elif b"\r\n\r\n" in answered:
                        client.sendall(answered[: answered.index(b"\r\n\r\n") + 4 + self.cut])
                        return


class Raw(Listener):
    """Reads one request, answers with fixed bytes, closes."""

    def __init__(self, answer: bytes | Callable[[socket.socket], None]) -> None:
        super().__init__()
        self.answer = answer
        self.requests: list[bytes] = []

    def serve(self, client: socket.socket) -> None:
        request = read_request(client)
        if not request:
            return
        self.requests.append(request)
        if callable(self.answer):
            self.answer(client)
        else:
            client.sendall(self.answer)


class Proxy(Listener):
    """A proxy that answers the next ``refusals`` CONNECTs with ``refusal``, and opens a tunnel for the others."""

    def __init__(self, target: int, refusal: bytes, refusals: int) -> None:
        super().__init__()
        self.target, self.refusal, self.refusals = target, refusal, refusals

    def serve(self, client: socket.socket) -> None:
        assert read_request(client).startswith(b"CONNECT ")
        if self.refusals > 0:
            self.refusals -= 1
            client.sendall(self.refusal)
            return
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", self.target)) as server:
            while True:
                ready, _, _ = select.select([client, server], [], [], 30)
                for source, sink in ((client, server), (server, client)):
                    if source in ready:
                        data = source.recv(65536)
                        if not data:
                            return
                        sink.sendall(data)


def read_request(client: socket.socket) -> bytes:
    """Return one whole request, empty when the client has gone."""
    request = b""
    while b"\r\n\r\n" not in request:
        data = client.recv(65536)
        if not data:
            return b""
        request += data
    head, _, body = request.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += client.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(body: bytes | str, status: str = "200 OK", **headers: str) -> bytes:
    """Return an HTTP answer, the last one on its connection unless ``Connection`` says otherwise.

    A client would send its next request on a connection that the server is closing, if it were not told.
    """
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Content-Type: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in {"Connection": "close", **headers}.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


class Unlimited:
    """A budget that lets everything pass: this is not about budgets."""

    def reserve(self, *args: Any, **kwargs: Any) -> float:
        return 0.0

    def cooldown(self, *args: Any, **kwargs: Any) -> float:
        return 0.0

    def give_back(self, *args: Any, **kwargs: Any) -> None:
        pass

    def missed(self, *args: Any, **kwargs: Any) -> None:
        pass

    def observe(self, *args: Any, **kwargs: Any) -> None:
        pass


@dataclass
class Resolver:
    """Resolves :data:`VENDOR_HOST`: to ``failures`` (ports, or None for "unknown name") first, then to ``port``."""

    port: int
    failures: list[int | None] = field(default_factory=list)
    asked: int = 0

    @contextmanager
    def installed(self) -> Iterator[Resolver]:
        real = socket.getaddrinfo

        def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
            if host != VENDOR_HOST:
                return real(host, port, *args, **kwargs)
            self.asked += 1
            target = self.failures.pop(0) if self.failures else self.port
            if target is None:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", target))]

        socket.getaddrinfo = getaddrinfo
        try:
            yield self
        finally:
            socket.getaddrinfo = real


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses connections and that nobody else gets."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port whose queue is full: connecting to it takes for ever."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        try:
            yield full.getsockname()[1]
        finally:
            for filler in fillers:
                filler.close()


def certificate(folder: Path, name: str) -> Path:
    """Write a self-signed certificate for :data:`VENDOR_HOST`, with its key, and return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.timezone.utc)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(VENDOR_HOST), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return file


def server_context(file: Path) -> ssl.SSLContext:
    """Return the TLS settings of a server with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
