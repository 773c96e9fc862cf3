"""The page in real Chromium."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import garim
from garim.boxes import Box
from garim.report.page import Flip, Gallery, Page, Picture, Section, write_page
from garim.web.review import _alone
from garim.web.session import Session

pytestmark = pytest.mark.browser


def opened(page: Any, served: Any) -> Any:
    page.goto(served.door.address)
    page.wait_for_selector("body[data-ready]")
    page.wait_for_selector(".card .accept")
    return page


def wait_for_states(served: Any, states: str) -> None:
    until = time.monotonic() + 5
    while served.session.states() != states and time.monotonic() < until:
        time.sleep(0.02)
    assert served.session.states() == states


def card(page: Any, number: int) -> Any:
    return page.locator(f".card[aria-posinset='{number + 1}']")


def test_accept_reject_undo_reload(page: Any, serve: Callable[..., Any], plan: Path) -> None:
    served = serve(plan)
    opened(page, served)
    assert "token" not in page.url
    card(page, 0).locator(".accept").click()
    card(page, 1).locator(".reject").click()
    wait_for_states(served, "arpppp")
    page.wait_for_selector(".card.r")
    page.reload()
    page.wait_for_selector(".card.a")
    page.locator("#undo").click()
    wait_for_states(served, "appppp")
    page.wait_for_selector("#tally:has-text('1 of 6')")


def test_keyboard_only(page: Any, serve: Callable[..., Any], plan: Path) -> None:
    served = serve(plan)
    opened(page, served)
    for key, states in (("a", "appppp"), ("s", "appppp"), ("r", "aprppp"), ("u", "appppp")):
        page.keyboard.press(key)
        wait_for_states(served, states)
    page.keyboard.press("Home")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector("#look .label")
    page.keyboard.press("3")
    wait_for_states(served, "aapppp")
    assert garim.load_plan(plan).edits[1].to == "개"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("#ask kbd").count() > 8
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+R")
    wait_for_states(served, "rrrrrr")


def test_redraw_by_mouse_and_keyboard(page: Any, serve: Callable[..., Any], plan: Path) -> None:
    served = serve(plan)
    opened(page, served)
    page.keyboard.press("Enter")
    area = page.locator(".editor image").bounding_box()
    scale = area["width"] / 64
    at = lambda x, y: (area["x"] + x * scale, area["y"] + y * scale)  # noqa: E731
    page.mouse.move(*at(50, 34))
    page.mouse.down()
    page.mouse.move(*at(55, 40), steps=3)
    page.mouse.move(*at(60, 46), steps=3)
    page.mouse.up()
    wait_for_states(served, "appppp")
    assert served.session.edit(0).box == Box(50, 34, 60, 46)
    page.wait_for_selector("#look .badge.warning")
    page.locator(".editor").focus()
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Alt+ArrowDown")
    page.wait_for_timeout(700)
    assert served.session.edit(0).box == Box(40, 34, 50, 47)
    page.locator("#look button", has_text="Back to the proposal").click()
    wait_for_states(served, "pppppp")
    assert served.session.edit(0) == served.session.plan.edits[0]


def test_filter_and_bulk(page: Any, serve: Callable[..., Any], plan: Path) -> None:
    served = serve(plan)
    opened(page, served)
    page.select_option("#f-label", "dog")
    page.fill("#f-low", "0.95")
    assert page.locator("#shown").inner_text() == "1 shown"
    page.locator("#accept-all").click()
    wait_for_states(served, "ppppap")
    page.locator("#filter-form button[type=reset]").click()
    page.locator("#f-edit button", has_text="Crop").click()
    page.select_option("#f-group", "label")
    page.wait_for_selector(".group >> nth=2")
    page.locator(".group", has_text="개").locator("button").last.click()
    wait_for_states(served, "ppppar")


def test_two_tabs_and_a_killed_server(page: Any, serve: Callable[..., Any], plan: Path) -> None:
    served = serve(plan)
    opened(page, served)
    other = opened(page.context.new_page(), served)
    page.bring_to_front()
    card(page, 0).locator(".accept").click()
    other.wait_for_selector(".card.a")
    served.stop()
    card(page, 1).locator(".accept").click()
    page.wait_for_selector("#banner:not([hidden])")
    assert [edit.state for edit in garim.load_plan(plan)] == ["accepted", *["proposed"] * 5]
    again = serve(plan)
    opened(page, again)
    assert page.locator(".card.a").count() == 1


def test_apply_from_the_page(page: Any, serve: Callable[..., Any], plan: Path) -> None:
    opened(page, serve(plan))
    page.locator("#apply").click()
    page.fill("#ask input", "clean")
    page.locator("#ask .strong").click()
    page.wait_for_selector("#ask [role=status]:has-text('clean')")
    page.wait_for_selector("#ask .strong", state="detached")
    assert len(garim.read(plan.parent / "clean")) == 5


def test_duplicates_side_by_side_and_korean(
    chromium: Any, serve: Callable[..., Any], plan: Path
) -> None:
    context = chromium.new_context(locale="ko-KR", viewport={"width": 390, "height": 800})
    page = opened(context.new_page(), serve(plan, read_only=True))
    assert page.locator("html").get_attribute("lang") == "ko"
    assert "읽기 전용" in page.locator("#banner").inner_text()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    assert page.locator(".stage figcaption").all_inner_texts() == [
        "제외 cat/3.png · 64 × 48",
        "남김 cat/1.png · 64 × 48",
    ]
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    context.close()


def test_a_hundred_thousand_edits(page: Any, serve: Callable[..., Any], plan: Path) -> None:
    lines = plan.read_text().splitlines()
    line = json.loads(lines[1]) | {"history": []}
    many = (json.dumps(line | {"score_after": n / 1e5}) for n in range(100_000))
    plan.write_text("\n".join([lines[0], *many]) + "\n")
    served = serve(plan)
    began = time.perf_counter()
    opened(page, served)
    assert time.perf_counter() - began < 5  # under 1 s on an idle machine; see the benchmark
    assert page.locator(".card").count() < 60
    page.keyboard.press("End")
    page.wait_for_selector(".card[aria-posinset='100000'] .accept")
    page.keyboard.press("a")
    wait = time.monotonic() + 5
    while served.session.edit(99_999).state != "accepted" and time.monotonic() < wait:
        time.sleep(0.02)
    assert served.session.edit(99_999).state == "accepted"
    page.fill("#f-low", "0.9")
    assert page.locator("#shown").inner_text() == "10,000 shown"
    assert replace(served.session.edit(0)).state == "proposed"


def test_flips_show_one_version_in_chromium(page: Any, tmp_path: Path) -> None:
    colours = ((name, Image.new("RGB", (60, 40), name)) for name in ("red", "blue"))
    flip = Flip(tuple((name, Picture.of(image, name)) for name, image in colours))
    path = tmp_path / "page.html"
    write_page(Page("t", "", (Section("s", (Gallery((flip,)),)),)), path)
    page.goto(path.as_uri())
    assert not page.get_by_alt_text("red").is_visible()
    page.get_by_text("red", exact=True).click()
    assert page.get_by_alt_text("red").is_visible()
    assert not page.get_by_alt_text("blue").is_visible()
    page.keyboard.press("ArrowRight")
    assert page.get_by_alt_text("blue").is_visible()


def test_a_server_that_is_killed_loses_no_decision(page: Any, plan: Path) -> None:
    command = [sys.executable, "-m", "garim", "review", str(plan), "--no-browser"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        told = next(line for line in server.stderr or () if line.startswith("Review: "))
        page.goto(told.removeprefix("Review: ").strip())
        card(page, 0).locator(".accept").click()
        page.wait_for_selector(".card.a")
        card(page, 1).locator(".reject").click()
        page.wait_for_selector(".card.r")
        server.send_signal(signal.SIGKILL)
    states = [edit.state for edit in garim.load_plan(plan)]
    assert states == ["accepted", "rejected", *["proposed"] * 4]
    card(page, 2).locator(".accept").click()
    page.wait_for_selector("#banner:not([hidden])")
    assert [edit.state for edit in garim.load_plan(plan)] == states
    with _alone(Session(plan)):  # what the killed server left behind is in nobody's way
        assert Session(plan).states() == "arpppp"


def test_redraw_by_touch(chromium: Any, serve: Callable[..., Any], plan: Path) -> None:
    served = serve(plan)
    phone = {"width": 390, "height": 800}
    context = chromium.new_context(viewport=phone, has_touch=True, is_mobile=True)
    page = opened(context.new_page(), served)
    card(page, 0).locator(".open").tap()
    area = page.locator(".editor image").bounding_box()
    scale = area["width"] / 64
    finger = context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[int, int]) -> None:
        at = [{"x": area["x"] + x * scale, "y": area["y"] + y * scale} for x, y in points]
        finger.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": at})

    touch("Start", (52, 2))
    for point in ((54, 4), (58, 8), (62, 12)):
        touch("Move", point)
    touch("End")
    wait_for_states(served, "appppp")
    assert served.session.edit(0).box == Box(52, 2, 62, 12)
    assert page.evaluate("scrollY") == 0
    context.close()


def test_read_only_shows_and_decides_nothing(
    page: Any, serve: Callable[..., Any], plan: Path
) -> None:
    served = serve(plan, read_only=True)
    opened(page, served)
    assert "Read-only" in page.locator("#banner").inner_text()
    deciding = "#undo, #apply, #accept-all, #reject-all, .card .accept, .card .reject"
    assert page.locator(deciding).count() > 10
    assert page.locator(f":is({deciding}):enabled").count() == 0
    for key in ("a", "r", "Shift+A", "u"):
        page.keyboard.press(key)
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.wait_for_selector("#look .stage svg")
    assert page.locator("#look .editor, #look .label, #look input").count() == 0
    page.wait_for_timeout(200)
    assert served.session.states() == "pppppp"
    assert not plan.with_name("plan.decisions.jsonl").exists()


def test_labels_are_chosen_from_the_classes_or_written(
    page: Any, serve: Callable[..., Any], plan: Path
) -> None:
    served = serve(plan)
    opened(page, served)
    card(page, 1).locator(".open").click()
    page.wait_for_selector("#look .label")
    chosen = page.locator("#look .label[aria-pressed=true]")
    assert page.locator("#look .label").all_inner_texts() == ["1 cat", "2 dog", "3 개"]
    assert chosen.inner_text() == "2 dog"
    page.fill("#look input", " fox ")
    page.keyboard.press("Enter")
    wait_for_states(served, "papppp")
    assert served.session.edit(1).to == "fox"
    page.wait_for_selector("#look h2:has-text('cat → fox')")
    page.locator("#look button", has_text="Back to the proposal").click()
    wait_for_states(served, "pppppp")
    assert served.session.edit(1).to == "dog"
    page.keyboard.press("Escape")
    card(page, 0).locator(".open").click()
    page.locator("#look .label", has_text="dog").click()
    wait_for_states(served, "appppp")
    assert served.session.edit(0).edit == "relabel"


def test_a_plan_without_a_model_has_no_scores(
    page: Any, serve: Callable[..., Any], plan: Path
) -> None:
    lines = [json.loads(line) for line in plan.read_text().splitlines()]
    for line in lines[1:]:
        line.pop("score_before", None)
        if "box" in line:
            line["score_after"] = 1.0
    plan.write_text("".join(json.dumps(line) + "\n" for line in lines))
    opened(page, serve(plan))
    assert page.locator(".badge").count() == 0
    assert not page.locator("#f-low").is_visible()
    assert page.locator("#f-sort option").count() == 1


def test_a_plan_without_edits_and_a_dataset_that_cannot_be_read(
    page: Any, serve: Callable[..., Any], plan: Path
) -> None:
    plan.write_text(plan.read_text().splitlines()[0] + "\n")
    page.goto(serve(plan).door.address)
    page.wait_for_selector(".empty:has-text('This plan has no edits')")
    shutil.rmtree(plan.parent / "data")
    (plan.parent / "data").mkdir()
    page.goto(serve(plan).door.address)
    page.wait_for_selector("#banner:has-text('holds no picture')")


def test_a_picture_that_goes_away_says_so(page: Any, serve: Callable[..., Any], plan: Path) -> None:
    served = serve(plan)
    assert len(served.session.dataset) == 6
    (plan.parent / "data/cat/2.png").unlink()
    opened(page, served)
    page.wait_for_selector(".card .out:has-text('cat/2.png: is gone')")
