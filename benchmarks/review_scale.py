"""How long the review page of a large plan takes to start, to open, and to scroll.

``python benchmarks/review_scale.py --edits 100000 --json review_scale.json`` draws a few pictures,
links each many times, and drives a real Chromium over the page. It needs no data and no network.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import uvicorn
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from garim.boxes import Box
from garim.plan import Edit, Plan
from garim.web.review import ReviewSettings, _bound
from garim.web.security import Door
from garim.web.server import application
from garim.web.session import Session
from harness import leave, parsed, parser

DRAWN, SIDE = 200, 640
SCROLL = """async () => {
  const area = document.getElementById("scroll"), times = [];
  let last = performance.now();
  for (let n = 0; n < 180; n++) {
    area.scrollTop += 900;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  return times;
}"""


def draw(folder: Path, edits: int) -> Path:
    """Write a dataset and a plan with an edit for each picture."""
    rng, data = np.random.default_rng(0), folder / "data"
    for n in range(edits):
        path = data / f"class{n % 10}" / f"{n:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        if n < DRAWN:
            small = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
            Image.fromarray(small).resize((SIDE, SIDE)).save(path)
        else:
            os.link(data / f"class{n % DRAWN % 10}" / f"{n % DRAWN:06d}.jpg", path)
    listed = tuple(
        Edit(picture=f"class{n % 10}/{n:06d}.jpg", edit="crop", label=f"class{n % 10}",
             size=(SIDE, SIDE), box=Box(100, 80, 420, 400), reason="where the class is likelier",
             score_before=0.5, score_after=n / edits) for n in range(edits)
    )  # fmt: skip
    plan = folder / "plan.jsonl"
    Plan(dataset=data, edits=listed).save(plan)
    return plan


def drive(page: Page, address: str) -> dict[str, float]:
    """Open, scroll, filter; in seconds and milliseconds."""
    began = time.perf_counter()
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    page.wait_for_selector(".card .accept")
    opened = time.perf_counter() - began
    times = sorted(page.evaluate(SCROLL))
    began = time.perf_counter()
    page.fill("#f-low", "0.5")
    page.wait_for_function("document.getElementById('shown').textContent.match(/^\\d+[,.]?\\d* /)")
    filtered = time.perf_counter() - began
    began = time.perf_counter()
    page.locator("#accept-all").click()
    page.wait_for_selector(".card.a")
    return {
        "page_open_s": opened, "frame_median_ms": times[len(times) // 2],
        "frame_p95_ms": times[int(len(times) * 0.95)], "frame_worst_ms": times[-1],
        "filter_s": filtered, "accept_half_s": time.perf_counter() - began,
    }  # fmt: skip


def measure(edits: int) -> dict[str, float]:
    """Serve and drive a plan of so many edits."""
    chromium = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    )
    with tempfile.TemporaryDirectory() as folder:
        plan = draw(Path(folder), edits)
        began = time.perf_counter()
        session = Session(plan)
        listening = _bound(ReviewSettings())
        door = Door("127.0.0.1", listening.getsockname()[1])
        app = application(session, door)
        started = time.perf_counter() - began
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            found = drive(browser.new_page(viewport={"width": 1360, "height": 860}), door.address)
            browser.close()
        server.should_exit = server.force_exit = True
        thread.join()
        session.dataset  # noqa: B018 - so that the folder is not taken away while it is read
    return {"edits": edits, "read_plan_s": started, **found}


def main() -> None:
    """Measure and print."""
    command_line = parser(__doc__)
    command_line.add_argument("--edits", type=int, default=100_000)
    chosen = parsed(command_line)
    result = measure(chosen.edits)
    for name, value in result.items():
        print(f"{name:16} {value:10.3f}")
    leave(chosen.json, result, indent=2)


if __name__ == "__main__":
    main()
