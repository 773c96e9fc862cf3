"""The reviewer keeps the other copy: what stays, what is written, what apply makes of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from test_browser import card, opened, wait_for_states
from test_server import client, decide

import garim
from garim.audit import AuditSettings
from garim.errors import PlanError
from garim.plan import Edit, Plan
from garim.web.session import Session

NAMES = ("train/cat/a.png", "train/cat/b.png", "test/cat/c.png")


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """Write the plan of an audit of three copies of a picture, one in the test set."""
    rng, data = np.random.default_rng(0), tmp_path / "three/data"
    first = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((96, 72))
    for name in (*NAMES, "train/dog/other.png"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
    first.save(data / NAMES[0])
    for name in NAMES[1:]:
        shutil.copy(data / NAMES[0], data / name)
    other = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    Image.fromarray(other).resize((96, 72)).save(data / "train/dog/other.png")
    path = tmp_path / "three/plan.jsonl"
    garim.audit(garim.read(data), AuditSettings(only=("exact_duplicates",))).plan.save(path)
    return path


def pairs(session: Session) -> list[tuple[str, str]]:
    """Give what each line leaves out, and what stays, by their letters."""
    edits = map(session.edit, range(len(session)))
    return [(Path(e.picture).stem, Path(e.kept.picture).stem) for e in edits if e.kept]


def left(plan: Path, to: Path) -> set[str]:
    return {Path(row.source or "").stem for row in garim.read(_applied(plan, to)).rows}


def _applied(plan: Path, to: Path) -> Path:
    applied = garim.apply(garim.load_plan(plan), to=to)
    assert not applied.failures
    return applied.to


def test_an_audit_names_the_copy_that_stays(three: Path) -> None:
    first, second = garim.load_plan(three).edits
    assert first.kept == second.kept is not None
    assert first.kept.picture == NAMES[2] and first.kept.split == "test"
    assert first.kept.digest == first.digest and first.kept.size == (96, 72)


def test_the_other_of_two_stays(plan: Path, tmp_path: Path) -> None:
    session = Session(plan)
    session.decide([2], {"keep": "cat/3.png", "state": "accepted"})
    edit = garim.load_plan(plan).edits[2]
    assert (edit.picture, edit.edit, edit.state) == ("cat/1.png", "drop", "accepted")
    assert edit.reason == "the same file as cat/3.png"
    assert edit.proposed is not None and edit.proposed.picture == "cat/3.png"
    assert len(session._decisions.path.read_text().splitlines()) == 1
    Plan(dataset=tmp_path / "data", edits=(edit,)).save(tmp_path / "saved.jsonl")
    assert garim.load_plan(tmp_path / "saved.jsonl").edits == (edit,)
    assert left(tmp_path / "saved.jsonl", tmp_path / "new") == {"1", "2", "3", "4"}
    names = {row.source for row in garim.read(tmp_path / "new").rows}
    assert "cat/3.png" in names and "cat/1.png" not in names
    session.undo()
    assert session.edit(2) == session.plan.edits[2]


def test_it_stays_in_place_too_and_a_changed_one_is_refused(three: Path) -> None:
    data = three.parent / "data"
    session = Session(three)
    session.decide([0], {"keep": NAMES[0], "state": "accepted"})
    garim.apply(garim.load_plan(three), in_place=True)
    assert [(data / name).exists() for name in NAMES] == [True, False, False]
    garim.undo(data)
    Image.new("RGB", (5, 5)).save(data / NAMES[2])
    applied = garim.apply(garim.load_plan(three), in_place=True)
    assert [failure.picture for failure in applied.failures] == [NAMES[2]]


def test_of_three_one_stays_however_often_one_chooses(three: Path, tmp_path: Path) -> None:
    session = Session(three)
    assert pairs(session) == [("a", "c"), ("b", "c")]
    steps = [(0, 0, [("c", "a"), ("b", "a")]), (1, 1, [("c", "b"), ("a", "b")]),
             (0, 2, [("b", "c"), ("a", "c")]), (1, 0, [("b", "a"), ("c", "a")])]  # fmt: skip
    for step, (number, name, expected) in enumerate(steps):
        session.decide([number], {"keep": NAMES[name], "state": "accepted"})
        assert pairs(session) == expected
        assert pairs(Session(three)) == expected, "the file holds what the session does"
        assert left(three, tmp_path / f"new{step}") == {expected[0][1], "other"}
    session.undo()
    assert pairs(session) == steps[2][2]
    session.decide([0], {"keep": None, "state": "proposed"})
    assert pairs(session) == [("a", "c"), ("b", "c")]
    assert session.states() == "pp", "no line stays accepted that now drops another picture"


def test_a_rejected_copy_stays_whatever_is_chosen_of_the_others(three: Path) -> None:
    session = Session(three)
    session.decide([0], {"state": "rejected"})
    session.decide([1], {"keep": NAMES[1], "state": "accepted"})
    assert left(three, three.parent / "new") == {"a", "b", "other"}


def test_what_was_proposed_for_the_one_is_done_to_the_other(three: Path) -> None:
    plan = garim.load_plan(three)
    kept = plan.edits[0].kept
    assert kept is not None
    own = Edit(picture="", edit="relabel", label="cat", to="dog", state="accepted").about(kept)
    replace(plan, edits=(*plan.edits, own)).save(three)
    session = Session(three)
    session.decide([1], {"keep": NAMES[1], "state": "accepted"})
    assert session.edit(2).picture == NAMES[1] and session.edit(2).digest == plan.edits[1].digest
    session.decide([2], {"keep": None, "to": None, "state": "proposed"})
    assert session.edit(2).picture == NAMES[1], "it follows the copy that stays"
    rows = garim.read(_applied(three, three.parent / "new")).rows
    assert [(row.source, row.label) for row in rows if "cat" in (row.source or "")] == [
        (NAMES[1], "dog")
    ]


def test_what_cannot_be_kept(plan: Path, three: Path) -> None:
    browser = client(plan)
    for number, keep in ((0, "cat/1.png"), (2, "cat/2.png"), (2, "../secret.png")):
        assert decide(browser, [number], keep=keep) == 409
    with pytest.raises(PlanError, match="one edit at a time"):
        Session(three).decide([0, 1], {"keep": NAMES[0]})
    assert not Session(plan)._decisions.path.exists()


def test_the_second_tab_chooses_the_same(plan: Path) -> None:
    browser, other = client(plan), client(plan)
    assert decide(browser, [2], keep="cat/3.png", state="accepted") == 200
    assert decide(browser, [2], keep="cat/3.png", state="accepted") == 200
    assert browser.get("/api/edits?numbers=2").json()[0]["kept"]["picture"] == "cat/3.png"
    assert other.get("/pictures/2/kept").status_code == 200


def test_a_decision_that_is_torn_within_a_group_is_none(three: Path) -> None:
    session = Session(three)
    session.decide([0], {"keep": NAMES[0], "state": "accepted"})
    path = session._decisions.path
    whole = path.read_bytes()
    assert len(json.loads(whole)["together"]) == 2
    path.write_bytes(whole[:-9])
    assert pairs(Session(three)) == [("a", "c"), ("b", "c")]
    path.write_bytes(whole.replace(b'"picture": ', b'"pictures": '))
    with pytest.raises(PlanError, match=r"decisions\.jsonl:1.*picture"):
        Session(three)


@pytest.mark.browser
def test_by_button_and_key(page: Any, serve: Callable[..., Any], plan: Path) -> None:
    served = serve(plan)
    opened(page, served)
    other = opened(page.context.new_page(), served)
    page.bring_to_front()
    card(page, 2).locator(".keepOther").click()
    wait_for_states(served, "ppappp")
    assert served.session.edit(2).picture == "cat/1.png"
    page.wait_for_selector(".card .badge:has-text('Your choice of copy')")
    other.wait_for_selector(".card.a .why:has-text('the same file as cat/3.png')")
    card(page, 2).locator(".open").click()
    captions = page.locator(".stage figcaption")
    assert captions.first.inner_text().startswith("dropped cat/1.png")
    page.keyboard.press("o")
    page.wait_for_selector(".stage figcaption:has-text('dropped cat/3.png')")
    assert served.session.edit(2).picture == "cat/3.png"
    page.keyboard.press("u")
    page.wait_for_selector(".stage figcaption:has-text('dropped cat/1.png')")
    page.locator("#look button", has_text="Back to the proposal").click()
    wait_for_states(served, "pppppp")
    assert served.session.edit(2) == served.session.plan.edits[2]
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.wait_for_selector("#ask dd:has-text('Keep the other copy')")


@pytest.mark.browser
def test_korean_and_read_only(chromium: Any, serve: Callable[..., Any], plan: Path) -> None:
    context = chromium.new_context(locale="ko-KR")
    page = opened(context.new_page(), serve(plan))
    button = card(page, 2).locator(".keepOther")
    assert button.get_attribute("aria-label") == "다른 사본 남기기"
    page = opened(context.new_page(), serve(plan, read_only=True))
    assert page.locator(".keepOther").count() == 0
    page.keyboard.press("o")
    context.close()


@pytest.mark.browser
def test_a_picture_is_shown_anew_after_a_reload(
    page: Any, serve: Callable[..., Any], plan: Path
) -> None:
    served = serve(plan)
    opened(page, served)
    width = """async () => (await createImageBitmap(await (await fetch(
        document.querySelector("[aria-posinset='1'] figure:last-child image").getAttribute("href")
    )).blob())).width"""
    assert page.evaluate(width) == 30
    served.session.decide([0], {"box": [1, 2, 20, 30], "state": "accepted"})
    page.reload()
    page.wait_for_selector(".card.a .accept")
    assert page.evaluate(width) == 20
