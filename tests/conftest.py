"""What holds for every test: no network, a cache of its own, few threads."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Iterator

os.environ["HF_HUB_OFFLINE"] = "1"  # read when the hub's client is first imported
os.environ.setdefault("OMP_NUM_THREADS", str(min(4, os.cpu_count() or 1)))
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest

_LOCAL_NAMES = {"", "localhost", "ip6-localhost", socket.gethostname().lower()}
_watching: list[str] | None = None


def _is_local(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name is None or not isinstance(name, str) or name.lower() in _LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """Note and refuse what would leave this machine; an audit hook sees every library's sockets."""
    if _watching is None or event not in {"socket.connect", "socket.getaddrinfo"}:
        return
    if event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) and address else None  # else a Unix socket
    if not _is_local(host):
        _watching.append(f"{event} {host!r}")
        raise ConnectionRefusedError(f"tests are offline: {event} {host!r}")


sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def offline() -> Iterator[None]:
    """Fail a test that asks for, or connects to, anything but this machine."""
    global _watching  # noqa: PLW0603 - an audit hook cannot be taken off again
    attempts: list[str] = []
    _watching = attempts
    yield
    _watching = None
    if attempts:
        pytest.fail(f"this test went to the network: {', '.join(attempts)}")


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what Garim unpacks out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GARIM_CACHE", str(tmp_path_factory.mktemp("garim-cache")))
        yield
