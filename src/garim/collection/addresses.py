"""Lists of addresses, and which network addresses may be asked."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from itertools import chain, zip_longest
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from garim.errors import FormatError, PictureError
from garim.formats import labels

_NAT64 = IPv6Network("64:ff9b::/96")
_KEPT = "/%:@!$&'()*+,;=~-._?"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line of a list."""

    url: str
    label: str | None = None


def read_list(path: Path) -> tuple[Wanted, ...]:
    """Read a ``.csv`` with the columns url and, if there is one, label; or a line per address.

    Lines of a text file that start with ``#`` are left out. An address that is listed twice under
    one label counts once.

    Raises:
        FormatError: the file cannot be read, has no column ``url``, or lists nothing.
    """
    text = labels.read_text(path)
    if path.suffix.lower() == ".csv":
        found = _of_csv(path, text)
    else:
        lines = (line.strip() for line in text.splitlines())
        found = [Wanted(line) for line in lines if line and not line.startswith("#")]
    if not found:
        raise FormatError(f"{path}: lists no address")
    return tuple(dict.fromkeys(found))


def _of_csv(path: Path, text: str) -> list[Wanted]:
    reader = csv.DictReader(StringIO(text))
    names = {name.strip().lower(): name for name in reader.fieldnames or () if name}
    if "url" not in names:
        raise FormatError(f"{path}: needs a column named url (and perhaps one named label)")
    label = names.get("label", "")
    rows = [(row.get(names["url"]) or "", row.get(label)) for row in reader]
    return [Wanted(url.strip(), labels.clean(one)) for url, one in rows if url.strip()]


def by_turns(wanted: Iterable[Wanted]) -> list[Wanted]:
    """Order addresses so that hosts take turns, and none has to wait for another."""
    by_host: dict[str, list[Wanted]] = defaultdict(list)
    for one in wanted:
        by_host[one.url.partition("://")[2].partition("/")[0].lower()].append(one)
    turns = chain.from_iterable(zip_longest(*by_host.values()))
    return [one for one in turns if one is not None]


def checked(url: str) -> str:
    """Give an address as it is asked for: http or https, ASCII, without a fragment.

    Raises:
        PictureError: another scheme, no host, a password, or an impossible port.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        name = host if ":" in host else host.encode("idna").decode()
    except (ValueError, UnicodeError) as error:
        raise PictureError(url, f"is no address: {error}") from error
    if parts.scheme.lower() not in {"http", "https"} or not host:
        raise PictureError(url, "only http:// and https:// addresses are asked for")
    if parts.username is not None or parts.password is not None:
        raise PictureError(url, "holds a user name; names and passwords are sent to nobody")
    place = (f"[{name}]" if ":" in name else name) + (f":{port}" if port is not None else "")
    path = quote(parts.path, safe=_KEPT) or "/"
    return urlunsplit((parts.scheme.lower(), place, path, quote(parts.query, safe=_KEPT), ""))


def is_public(address: str) -> bool:
    """Tell whether a numeric address is one of the open internet.

    So not this machine (127.0.0.1, ::1), not a private or local network, not a cloud's metadata
    service (169.254.169.254), and none of these wrapped into an IPv6 address.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = _wrapped(found) if isinstance(found, IPv6Address) else None
    return all(one.is_global and not one.is_multicast for one in (inner or found,))


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or (address.teredo[1] if address.teredo else None)
