"""``garim review``: look at a plan in the browser and decide."""

from __future__ import annotations

import socket
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from garim import locks
from garim.errors import PlanError, SettingsError
from garim.plan.decisions import beside
from garim.web.security import Door, is_loopback
from garim.web.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSettings:
    """How the review page is served."""

    port: int = 0
    """Port of the page; any free one by default."""
    host: str = "127.0.0.1"
    """Address to serve on. Any other than this machine's own lets others on the network in, if
    they have the token; nothing is encrypted."""
    browser: bool = True
    """Open the page in the browser."""
    read_only: bool = False
    """Look only: nothing can be decided or applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """How a plan stands after a review."""

    plan: Path
    decisions: Path
    states: dict[str, int]
    """Edits by state."""

    def to_dict(self) -> dict[str, Any]:
        """Give the result as it stands in ``--json``."""
        return {
            "plan": str(self.plan),
            "decisions": str(self.decisions),
            "states": self.states,
            "failed": [],
        }


def review(
    plan: Path | str,
    settings: ReviewSettings | None = None,
    *,
    data: Path | str | None = None,
    ready: Callable[[Door], None] | None = None,
) -> Reviewed:
    """Serve the review page of a plan until it is interrupted (Ctrl+C).

    Every decision is on the disk, beside the plan, before the page shows it; `garim.load_plan`
    and ``garim apply`` read the plan with them.

    Args:
        plan: file of the plan; it is never changed.
        settings: where to serve, and whether anything may be decided.
        data: where the dataset is now, if it has moved since.
        ready: called with the page's address once it is served.

    Raises:
        PlanError: the plan or its decisions cannot be read, or it is under review already.
        DatasetError: the dataset is not where it was.
        SettingsError: the address cannot be served on.
    """
    chosen, path = settings or ReviewSettings(), Path(plan)
    session = Session(path, Path(data) if data else None, read_only=chosen.read_only)
    with _alone(session), _bound(chosen) as listening:
        door = Door(chosen.host, listening.getsockname()[1])
        _serve(session, door, listening, chosen, ready)
    return Reviewed(plan=path, decisions=beside(path), states=session.current().states())


@contextmanager
def _alone(session: Session) -> Iterator[None]:
    """Let one page at a time decide about a plan; any number may look."""
    if session.read_only:
        yield
        return
    lock = beside(session.path).with_suffix(".lock")
    advice = "use that page, or look with --read-only"
    with locks.alone(lock, session.path, "under review already", advice, PlanError):
        yield


def _bound(settings: ReviewSettings) -> socket.socket:
    """Listen before anything is said, so that the address that is printed works at once."""
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family)
    except (OSError, OverflowError) as error:
        where = f"{settings.host}:{settings.port}"
        problem = f"cannot serve on {where}: {error}; give another --port or --host"
        raise SettingsError([problem]) from error


def _serve(
    session: Session,
    door: Door,
    listening: socket.socket,
    settings: ReviewSettings,
    ready: Callable[[Door], None] | None,
) -> None:
    import uvicorn  # noqa: PLC0415 - every command knows this module, one serves

    from garim.web.server import application  # noqa: PLC0415

    config = uvicorn.Config(
        application(session, door), log_level="warning", access_log=False, server_header=False,
        timeout_graceful_shutdown=2, lifespan="off",
    )  # fmt: skip
    if ready is not None:
        ready(door)
    if settings.browser:
        webbrowser.open(door.address)
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:  # the way to end it
        return


def is_open_to_others(settings: ReviewSettings) -> bool:
    """Tell whether other machines can reach the page."""
    return not is_loopback(settings.host)
