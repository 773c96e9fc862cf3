"""A small plan of each kind of edit, its server, and a real Chromium."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from PIL import Image

from garim import files
from garim.boxes import Box
from garim.plan import Edit, Plan
from garim.plan.edits import Round
from garim.web.review import ReviewSettings, _bound
from garim.web.security import Door
from garim.web.server import application
from garim.web.session import Session

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZE = (64, 48)


def make_plan(folder: Path) -> Path:
    """Draw six pictures of three classes, and propose a crop, a relabel, drops and a keep."""
    rng, data = np.random.default_rng(0), folder / "data"
    names = ["cat/1.png", "cat/2.png", "cat/3.png", "cat/4.png", "dog/1.png", "개/1.png"]
    for name in names:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(data / name)
    shutil.copy(data / "cat/1.png", data / "cat/3.png")
    known = [
        Edit(picture=name, edit="keep", label=name.split("/")[0], size=SIZE,
             digest=files.digest(data / name)) for name in names
    ]  # fmt: skip
    box = Box(10, 8, 40, 30)
    seen = Round(round=1, box=box, score=0.9, predicted="cat", changed=True)
    edits = (
        replace(known[0], edit="crop", box=box, score_before=0.5, score_after=0.9,
                reason="shows 'cat'", history=(seen,)),
        replace(known[1], edit="relabel", to="dog", score_before=0.1, reason="shows 'dog'",
                check="label_errors"),
        replace(known[2], edit="drop", reason="the same file as cat/1.png",
                check="exact_duplicates", kept=known[0].subject),
        replace(known[3], reason="no part is better", score_before=0.7, score_after=0.7),
        replace(known[4], edit="crop", box=box, score_before=0.4, score_after=0.97,
                reason="shows 'dog'"),
        replace(known[5], edit="crop", box=box, score_before=0.4, score_after=0.3),
    )  # fmt: skip
    path = folder / "plan.jsonl"
    Plan(dataset=data, edits=edits, method="test").save(path)
    return path


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    return make_plan(tmp_path)


@dataclass
class Served:
    """A review page that is being served."""

    door: Door
    session: Session
    stop: Callable[[], None]


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Serve the page of a plan in a thread."""
    stops: list[Callable[[], None]] = []

    def start(path: Path, **settings: Any) -> Served:
        chosen = ReviewSettings(browser=False, **settings)
        listening = _bound(chosen)
        door = Door(chosen.host, listening.getsockname()[1])
        session = Session(path, read_only=chosen.read_only)
        config = uvicorn.Config(application(session, door), log_level="error", lifespan="off",
                                timeout_graceful_shutdown=1)  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()

        def stop() -> None:
            server.should_exit = server.force_exit = True
            thread.join(5)
            listening.close()

        stops.append(stop)
        return Served(door, session, stop)

    yield start
    for one in stops:
        one()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A real Chromium, one for all tests."""
    playwright = pytest.importorskip("playwright.sync_api")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no Chromium: none of {', '.join(BROWSERS)} is installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A tab of a browser of its own; an error of a script fails the test."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    errors: list[str] = []
    tab = context.new_page()
    tab.set_default_timeout(5000)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    yield tab
    context.close()
    assert errors == []
