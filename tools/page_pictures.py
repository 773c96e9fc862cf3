"""Photograph the pages in real Chromium, for the documentation, from what `garim demo` left.

    garim demo garim-demo
    python tools/page_pictures.py garim-demo

Writes docs/review.png and docs/review-dark.png (the review page), docs/review-phone.png (a phone),
and docs/report.png (the page of a plan). Needs Playwright and an installed Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
from playwright.sync_api import Browser, sync_playwright

import garim
from garim.web.review import ReviewSettings, _bound
from garim.web.security import Door
from garim.web.server import application
from garim.web.session import Session

DOCS = Path(__file__).parents[1] / "docs"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
TALL = {"width": 1100, "height": 1500}


@contextmanager
def served(plan: Path, data: Path) -> Iterator[str]:
    """Serve a review page in a thread, and give its address."""
    settings = ReviewSettings(browser=False)
    listening = _bound(settings)
    door = Door(settings.host, listening.getsockname()[1])
    app = application(Session(plan, data), door)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield door.address
    finally:
        server.should_exit = server.force_exit = True
        thread.join(5)
        listening.close()


def photograph(browser: Browser, address: str, to: Path, *, act: str = "", **look: Any) -> None:
    """Open a page as a reader would see it, press the keys of ``act``, and save a picture of it."""
    context = browser.new_context(**look)
    page = context.new_page()
    page.goto(address)
    if not address.startswith("file:"):
        page.wait_for_selector("body[data-ready]")
        page.wait_for_selector(".card .accept")
    for key in act.split():
        page.keyboard.press(key)
        page.wait_for_timeout(300)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(2500)
    page.screenshot(path=to)
    context.close()


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", type=Path, help="folder that `garim demo` left")
    parser.add_argument("--to", type=Path, default=DOCS)
    options = parser.parse_args()
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    with TemporaryDirectory() as folder, sync_playwright() as driver:
        plan = Path(shutil.copy(options.demo / "plan.jsonl", folder))
        messy = options.demo / "messy"
        report = garim.report(plan, data=messy).page
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        photograph(browser, report.as_uri(), options.to / "report.png", viewport=TALL)
        with served(plan, messy) as address:
            light = {"viewport": DESK, "color_scheme": "light"}
            photograph(browser, address, options.to / "review.png", act="a a r a", **light)
            photograph(browser, address, options.to / "review-dark.png", act="Enter",
                       viewport=DESK, color_scheme="dark")  # fmt: skip
            photograph(browser, address, options.to / "review-phone.png", viewport=PHONE,
                       locale="ko-KR", has_touch=True, color_scheme="light")  # fmt: skip
        browser.close()


if __name__ == "__main__":
    main()
