"""One picture from one address, within limits, whatever the server does.

Every name is resolved here, the address that it gives is checked, and that very address is
connected to: a name that answers differently the second time (DNS rebinding) gains nothing.
Redirects are followed one by one, each checked as the first. Proxies are not used: behind one, the
address could not be checked.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import urljoin, urlsplit

from garim.collection.addresses import checked, is_public
from garim.collection.settings import CollectSettings
from garim.errors import PictureError

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which it is worth asking again."""

MOVED = frozenset({301, 302, 303, 307, 308})

PAUSE = 0.5
"""Seconds before the first retry; twice as many before each further one."""

AT_ONCE = 65_536
"""Bytes that are read at once."""


class _LaterError(Exception):
    """What may work later: the reason, and how many seconds the server asks to wait."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(slots=True)
class _Host:
    """One host's turn: so many at once, and not before a moment."""

    free: threading.Semaphore
    lock: threading.Lock = field(default_factory=threading.Lock)
    next: float = 0.0

    def postpone(self, seconds: float) -> None:
        """Let nobody ask for so long."""
        with self.lock:
            self.next = max(self.next, time.monotonic() + seconds)

    def turn(self, delay: float) -> float:
        """Book the next moment; give the seconds until then."""
        with self.lock:
            now = time.monotonic()
            at = max(self.next, now)
            self.next = at + delay
            return at - now


class Downloader:
    """Fetches addresses politely; may be called from many threads at once.

    Args:
        settings: limits and pauses.
    """

    def __init__(self, settings: CollectSettings) -> None:
        self.settings = settings
        self.agent = settings.user_agent or f"garim/{version('garim')} (picture collector)"
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = defaultdict(
            lambda: _Host(threading.Semaphore(settings.per_host))
        )
        self._tls = ssl.create_default_context()

    def fetch(self, url: str) -> bytes:
        """Give what is at an address, retrying where that may help.

        Raises:
            PictureError: it cannot be had within the limits; the reason says why.
        """
        for attempt in range(self.settings.retries + 1):
            try:
                return self._followed(url)
            except _LaterError as error:
                wait = PAUSE * 2**attempt if error.wait is None else error.wait
                last = attempt == self.settings.retries
                if last or wait > self.settings.longest_wait:
                    more = f", and asks to wait {wait:.0f} s" if error.wait and not last else ""
                    raise PictureError(url, f"{error}{more}") from error
                self._host(url).postpone(wait)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _followed(self, url: str) -> bytes:
        seen: list[str] = []
        here = checked(url)
        while True:
            if here in seen:
                raise PictureError(url, f"redirects in a circle, back to {here}")
            if len(seen) > self.settings.redirects:
                raise PictureError(url, f"redirects more than {self.settings.redirects} times")
            seen.append(here)
            found = self._asked(url, here)
            if isinstance(found, bytes):
                return found
            here = checked(urljoin(here, found))

    def _host(self, url: str) -> _Host:
        with self._lock:
            return self._hosts[urlsplit(url).netloc.lower()]

    def _asked(self, url: str, here: str) -> bytes | str:
        """Ask once: the content, or the address of a redirect."""
        host = self._host(here)
        with host.free:
            time.sleep(host.turn(self.settings.delay))
            try:
                with self._connected(url, here) as (connection, ends):
                    return self._answer(url, connection, ends)
            except ssl.SSLCertVerificationError as error:
                why = f"its certificate is not trusted: {error.verify_message}"
                raise PictureError(url, why) from error
            except TimeoutError as error:
                raise _LaterError("the server does not answer in time") from error
            except (OSError, http.client.HTTPException, ValueError) as error:
                why = str(error) or type(error).__name__
                raise _LaterError(f"the connection fails: {why}") from error

    @contextmanager
    def _connected(self, url: str, here: str) -> Iterator[tuple[http.client.HTTPConnection, float]]:
        """Send the request over a connection that is cut when its time is up."""
        parts = urlsplit(here)
        ends = time.monotonic() + self.settings.deadline
        port = parts.port or (443 if parts.scheme == "https" else 80)
        plain = self._socket(url, parts.hostname or "", port)
        timer = threading.Timer(self.settings.deadline, _cut, [plain])
        timer.daemon = True
        timer.start()
        connection = http.client.HTTPConnection(parts.hostname or "", port)
        try:
            secure = parts.scheme == "https"
            connection.sock = (
                self._tls.wrap_socket(plain, server_hostname=parts.hostname) if secure else plain
            )
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            headers = {"Host": parts.netloc, "User-Agent": self.agent, "Accept": "image/*",
                       "Accept-Encoding": "identity", "Connection": "close"}  # fmt: skip
            connection.request("GET", path, headers=headers)
            yield connection, ends
        finally:
            timer.cancel()
            connection.close()
            plain.close()

    def _socket(self, url: str, host: str, port: int) -> socket.socket:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise PictureError(url, f"there is no host {host}: {error.strerror}") from error
        refused = [one[4][0] for one in found if not is_public(str(one[4][0]))]
        if refused and not self.settings.allow_private:
            why = f"{host} is at {refused[0]}, which is no public address; --allow-private asks it"
            raise PictureError(url, why)
        return _first(found, self.settings.timeout)

    def _answer(self, url: str, connection: http.client.HTTPConnection, ends: float) -> bytes | str:
        response = connection.getresponse()
        status, target = response.status, response.getheader("Location")
        if status in MOVED and target:
            return target
        if status in AGAIN:
            wait = _retry_after(response.getheader("Retry-After"))
            raise _LaterError(f"the server answers {status} {response.reason}", wait)
        if status != 200:
            raise PictureError(url, f"the server answers {status} {response.reason}")
        if response.getheader("Content-Encoding", "identity").lower() != "identity":
            raise PictureError(url, "is sent compressed though that was not asked for")
        return self._body(url, response, ends)

    def _body(self, url: str, response: http.client.HTTPResponse, ends: float) -> bytes:
        most = int(self.settings.max_megabytes * 1e6)
        too_large = PictureError(url, f"is larger than {self.settings.max_megabytes:g} megabytes")
        length = response.length  # None where the server does not say, or sends in parts
        if length is not None and length > most:
            raise too_large
        content = bytearray()
        while part := response.read1(AT_ONCE):
            content += part
            if len(content) > most:
                raise too_large
            if time.monotonic() > ends:
                raise PictureError(url, f"takes longer than {self.settings.deadline:g} s")
        if length is not None and len(content) < length:
            raise _LaterError(f"is cut off: {len(content)} of {length} bytes came")
        return bytes(content)


def _first(found: Sequence[tuple[Any, ...]], timeout: float) -> socket.socket:
    """Connect to the first address that answers; they were looked up and checked before."""
    problem: OSError | None = None
    for family, kind, protocol, _, address in found:
        one = socket.socket(family, kind, protocol)
        try:
            one.settimeout(timeout)
            one.connect(address)
            return one
        except OSError as error:
            one.close()
            problem = error
    raise problem or OSError("the host has no address")


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _retry_after(value: str | None) -> float | None:
    """Read ``Retry-After`` (RFC 9110): seconds, or a date."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())
