"""How long the review page of a large plan takes to start, to open, and to scroll.

``python benchmarks/review_scale.py --json docs/benchmarks/review_scale.json`` draws a few pictures,
links each many times, runs `garim review`, and drives a real Chromium over its page. It needs no
data and no network. Processor seconds and the most memory of the server are Linux's own figures.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from garim.boxes import Box
from garim.plan import Edit, Plan
from harness import leave, parsed, parser

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRAWN, SIDE = 200, 640
OPENED = 7
"""How often the page is opened; the median counts."""

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


def open_page(page: Page, address: str) -> float:
    """Open the page until the first card can be accepted; in seconds."""
    began = time.perf_counter()
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    page.wait_for_selector(".card .accept")
    return time.perf_counter() - began


def drive(page: Page, address: str) -> dict[str, float]:
    """Open, scroll, filter; in seconds and milliseconds."""
    opened = median(open_page(page, address) for _ in range(OPENED))
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


@contextmanager
def served(plan: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``garim review``; give the process and the address that it prints."""
    command = [sys.executable, "-m", "garim", "review", str(plan), "--no-browser"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        told = next(line for line in server.stderr or () if line.startswith("Review: "))
        yield server, told.removeprefix("Review: ").strip()
        server.send_signal(signal.SIGINT)


def processor_seconds(process: int) -> float:
    """Give what a process took of the processors."""
    after_its_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, after_its_name[11:13])) / os.sysconf("SC_CLK_TCK")


def peak(process: int) -> float:
    """Give the most memory that a process has held, in MiB."""
    status = Path(f"/proc/{process}/status").read_text().splitlines()
    line = next(one for one in status if one.startswith("VmHWM"))
    return int(line.split()[1]) / 2**10


def measure(edits: int) -> dict[str, float]:
    """Serve and drive a plan of so many edits."""
    chromium = next(filter(None, map(shutil.which, BROWSERS)))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        plan = draw(Path(folder), edits)
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1360, "height": 860})
        began = time.perf_counter()
        with served(plan) as (server, address):
            started = {"start_s": time.perf_counter() - began,
                       "start_processor_s": processor_seconds(server.pid)}  # fmt: skip
            found = drive(page, address)
            memory = peak(server.pid)
        browser.close()
    return {"edits": edits, **started, **found, "memory_mib": memory}


def main() -> None:
    """Measure and print."""
    command_line = parser(__doc__)
    command_line.add_argument("--edits", type=int, nargs="+", default=[100, 100_000])
    chosen = parsed(command_line)
    results = [measure(edits) for edits in chosen.edits]
    for result in results:
        print(*(f"{name:16} {value:10.3f}" for name, value in result.items()), "", sep="\n")
    leave(chosen.json, results)


if __name__ == "__main__":
    main()
