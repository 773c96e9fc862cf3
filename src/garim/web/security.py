"""Who may talk to the page: the browser that was opened with the token, and no other site.

Every request must name this server in ``Host`` (against DNS rebinding) and, where it says an
``Origin``, that very server. The token of the opened address is traded for a cookie that scripts
cannot read and other sites cannot send.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""A report is one file without scripts; its styles and pictures are inside it."""

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Door:
    """Where the page is served, and the secrets that open it."""

    host: str
    port: int
    token: str = field(default_factory=_secret, repr=False)
    """What the opened address carries."""
    cookie: str = field(default_factory=_secret, repr=False)
    """What the browser shows from then on."""

    @property
    def cookie_name(self) -> str:
        """The cookie's name; cookies do not tell ports apart."""
        return f"garim_review_{self.port}"

    @property
    def address(self) -> str:
        """What to open: the address with the token."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host
        return f"http://{_bracketed(host)}:{self.port}/?token={self.token}"

    def is_named(self, host: str) -> bool:
        """Tell whether a ``Host`` header means this server."""
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname or "", parts.port or 80
        except ValueError:
            return False
        return port == self.port and name in self._names(name)

    def _names(self, name: str) -> set[str]:
        if is_loopback(self.host):
            return {"localhost", "127.0.0.1", "::1", self.host}
        known = {self.host.lower(), "localhost", socket.gethostname().lower()}
        return known | ({name} if _is_address(name) else set())  # an address cannot be rebound


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a server bound to ``host``."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class Guard:
    """The application behind the door; who may not pass gets 403 and a sentence."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app = app
        self.door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on; put the headers on every answer."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        token = self._token(scope)
        refused = self._refused(scope, Headers(scope=scope), token)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(MutableHeaders(scope=message), entered=token and not refused)
            await send(message)

        app = PlainTextResponse(refused, 403) if refused else self.app
        await app(scope, receive, send_with_headers)

    def _token(self, scope: Scope) -> bool:
        """Tell whether a request opens the page with the token."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        right = secrets.compare_digest(given.encode(), self.door.token.encode())
        return right and scope["path"] == "/" and scope["method"] == "GET"

    def _refused(self, scope: Scope, headers: Headers, token: bool) -> str | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self.door.is_named(host):
            return "This is not the address of the review page."
        if origin is not None and origin != f"http://{host}":
            return "Another site cannot use the review page."
        if scope["method"] not in {"GET", "HEAD"} and origin is None:
            return "A change needs the Origin header that browsers send."
        cookies = SimpleCookie(headers.get("cookie", ""))
        shown = cookies.get(self.door.cookie_name)
        value = shown.value if shown else ""
        if token or secrets.compare_digest(value.encode(), self.door.cookie.encode()):
            return None
        return "Open the address that `garim review` printed: it carries the token of this review."

    def _add_headers(self, headers: MutableHeaders, *, entered: bool) -> None:
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        if entered:
            cookie = f"{self.door.cookie_name}={self.door.cookie}"
            headers.append("Set-Cookie", f"{cookie}; HttpOnly; SameSite=Strict; Path=/")
