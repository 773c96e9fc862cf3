"""The server without a browser: who is let in, what is served, what is written."""

from __future__ import annotations

import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

import garim
from garim.boxes import Box
from garim.web.security import Door, is_loopback
from garim.web.server import STATIC, application
from garim.web.session import Session
from garim.web.thumbnails import Thumbnails

DOOR = Door("127.0.0.1", 8123)
HOME = "http://127.0.0.1:8123"


def client(path: Path, **options: Any) -> TestClient:
    """Give a browser that has opened the address with the token."""
    session = Session(path, **options)
    found = TestClient(application(session, DOOR), base_url=HOME, headers={"Origin": HOME})
    assert found.get(f"/?token={DOOR.token}").status_code == 200
    return found


def decide(browser: TestClient, numbers: list[int], **values: Any) -> int:
    return browser.post("/api/decide", json={"numbers": numbers, "set": values}).status_code


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, ""),
        ({}, "?token=wrong"),
        ({"Cookie": "garim_review_8123=wrong"}, ""),
        ({"Host": "evil.example:8123"}, f"?token={DOOR.token}"),
        ({"Host": "127.0.0.1:9"}, f"?token={DOOR.token}"),
        ({"Origin": "http://evil.example"}, f"?token={DOOR.token}"),
        ({"Origin": "null"}, f"?token={DOOR.token}"),
    ],
)
def test_strangers_are_kept_out(plan: Path, headers: dict[str, str], query: str) -> None:
    stranger = TestClient(application(Session(plan), DOOR), base_url=HOME)
    for path in ("/", "/api/review", "/pictures/0/before"):
        answer = stranger.get(path + query, headers=headers)
        assert answer.status_code == 403 and "set-cookie" not in answer.headers


def test_the_token_opens_only_the_page(plan: Path) -> None:
    stranger = TestClient(application(Session(plan), DOOR), base_url=HOME)
    assert stranger.get(f"/api/review?token={DOOR.token}").status_code == 403
    entered = stranger.get(f"/?token={DOOR.token}")
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and DOOR.token not in cookie
    policy = entered.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert entered.headers["x-content-type-options"] == "nosniff"
    assert stranger.get("/api/review").status_code == 200


def test_a_change_needs_an_origin_and_post(plan: Path) -> None:
    browser = client(plan)
    del browser.headers["Origin"]
    assert decide(browser, [0], state="accepted") == 403
    assert browser.get("/api/decide").status_code == 405
    assert browser.get("/api/review").json()["states"] == "p" * 6


def test_only_loopback_is_loopback() -> None:
    assert [is_loopback(h) for h in ("127.0.0.1", "::1", "localhost", "127.9.9.9")] == [True] * 4
    assert [is_loopback(h) for h in ("0.0.0.0", "::", "192.168.0.2", "here")] == [False] * 4
    assert Door("0.0.0.0", 80).is_named("192.168.0.2:80")
    assert not Door("0.0.0.0", 80).is_named("evil.example:80")


def test_pictures_are_of_the_dataset_only(plan: Path, tmp_path: Path) -> None:
    lines = plan.read_text().splitlines()
    Image.new("RGB", (9, 9)).save(tmp_path / "secret.png")
    lines.append(json.dumps({"picture": "../secret.png", "edit": "keep", "label": "cat"}))
    plan.write_text("\n".join(lines) + "\n")
    browser = client(plan)
    crop = Image.open(BytesIO(browser.get("/pictures/0/after").content))
    assert crop.size == (30, 22)
    assert Image.open(BytesIO(browser.get("/pictures/2/kept").content)).size == (64, 48)
    for path in ("/pictures/6/before", "/pictures/99/before", "/pictures/0/kept"):
        answer = browser.get(path)
        assert answer.status_code == 404 and b"error" in answer.content, path
    assert browser.get("/pictures/..%2f..%2fsecret.png/before").status_code in {404, 422}


def test_decisions_reach_apply(plan: Path, tmp_path: Path) -> None:
    before = plan.read_bytes()
    browser = client(plan)
    assert decide(browser, [0], box=[1, 2, 20, 30], state="accepted") == 200
    assert decide(browser, [1], to="개", state="accepted") == 200
    assert decide(browser, [2], state="rejected") == 200
    assert decide(browser, [3], to="dog", state="accepted") == 200
    assert browser.get("/api/review").json()["states"] == "aarapp"
    assert plan.read_bytes() == before
    read = garim.load_plan(plan).edits
    assert read[0].box == Box(1, 2, 21, 32) and read[0].state == "accepted"
    assert read[0].proposed is not None and read[0].proposed.box == Box(10, 8, 40, 30)
    assert (read[1].to, read[2].state, read[3].edit, read[3].to) == (
        "개",
        "rejected",
        "relabel",
        "dog",
    )
    garim.Plan(dataset=tmp_path, edits=read).save(tmp_path / "saved.jsonl")
    assert garim.load_plan(tmp_path / "saved.jsonl").edits == read
    answer = browser.post("/api/apply", json={"name": "new"})
    assert answer.json()["edits"] == {"crop": 3, "relabel": 2}
    written = garim.read(tmp_path / "new")
    assert len(written) == 6
    assert Box.whole(20, 30) in {o.box for row in written.rows for o in row.objects}


@pytest.mark.parametrize("name", ["../out", "/tmp/out", ".hidden", "", "data", "a\\b"])
def test_apply_stays_beside_the_plan(plan: Path, name: str) -> None:
    assert client(plan).post("/api/apply", json={"name": name}).status_code == 409


@pytest.mark.parametrize(
    ("number", "values"),
    [
        (0, {"state": "perhaps"}),
        (0, {"box": [0, 0, 0, 5]}),
        (0, {"box": [0, 0, 5]}),
        (1, {"box": [0, 0, 5, 5]}),
        (0, {"to": " "}),
        (0, {"to": "a/b"}),
        (0, {}),
        (77, {"state": "accepted"}),
    ],
)
def test_what_cannot_be_decided(plan: Path, number: int, values: dict[str, Any]) -> None:
    browser = client(plan)
    assert decide(browser, [number], **values) in {404, 409, 422}
    assert browser.get("/api/review").json()["revision"] == 0


def test_undo_and_changes(plan: Path) -> None:
    browser = client(plan)
    decide(browser, [0, 1, 2], state="accepted")
    decide(browser, [1, 4], state="rejected")
    assert browser.get("/api/changes?since=1").json() == {
        "revision": 2, "changes": [[1, "r"], [4, "r"]]}  # fmt: skip
    assert browser.post("/api/undo").json() == {"undone": True, "revision": 3}
    assert browser.get("/api/review").json()["states"] == "aaappp"
    again = client(plan)
    assert again.get("/api/review").json()["states"] == "aaappp"
    again.post("/api/undo")
    assert again.get("/api/review").json()["states"] == "pppppp"
    assert again.post("/api/undo").json()["undone"] is False


def test_a_torn_line_is_no_decision(plan: Path, tmp_path: Path) -> None:
    decide(client(plan), [0], state="accepted")
    kept = tmp_path / "plan.decisions.jsonl"
    whole = kept.read_bytes()
    kept.write_bytes(whole + whole[: len(whole) // 2])
    browser = client(plan)
    assert browser.get("/api/review").json()["states"] == "appppp"
    decide(browser, [1], state="rejected")
    assert client(plan).get("/api/review").json()["states"] == "arpppp"
    kept.write_bytes(b"nonsense\n" + whole)
    with pytest.raises(garim.PlanError, match=r"decisions\.jsonl:1"):
        garim.load_plan(plan)


def test_a_decision_holds_only_for_what_was_seen(plan: Path) -> None:
    decide(client(plan), [0, 1], state="rejected")
    plan.write_text(plan.read_text().replace("shows 'cat'", "shows a cat"))
    assert [e.state for e in garim.load_plan(plan)][:2] == ["proposed", "rejected"]


def test_read_only(plan: Path) -> None:
    browser = client(plan, read_only=True)
    assert decide(browser, [0], state="accepted") == 409
    assert browser.post("/api/undo").status_code == 409
    assert browser.post("/api/apply", json={"name": "new"}).status_code == 409


def test_the_report_beside_the_plan(plan: Path) -> None:
    assert client(plan).get("/report").status_code == 404
    plan.with_suffix(".html").write_text("<title>x</title>")
    answer = client(plan).get("/report")
    assert (
        answer.status_code == 200 and "script-src" not in answer.headers["content-security-policy"]
    )


def test_thumbnails_keep_within_their_room(plan: Path, tmp_path: Path) -> None:
    small = Thumbnails(room=3000)
    for side in range(20, 60):
        small.get(tmp_path / "data/cat/1.png", side)
    assert small._size <= 3000 and small._size == sum(map(len, small._kept.values()))


def test_texts_are_complete_in_both_languages() -> None:
    module = (STATIC / "review.js").read_text(encoding="utf-8")
    block = module[module.index("TEXTS = {") : module.index("\n};")]
    pairs = re.findall(r'^  (\w+): \["(.+?)",\s+"(.+?)"\],?$', block, re.M)
    keys = {key for key, _, _ in pairs}
    assert keys == set(re.findall(r"^  (\w+):", block, re.M))
    for key, english, korean in pairs:
        assert sorted(re.findall(r"\{\d\}", english)) == sorted(re.findall(r"\{\d\}", korean)), key
        assert re.search("[가-힣]", korean), key
    page = (STATIC / "index.html").read_text()
    used = set(re.findall(r'\bt\("(\w+)"', module)) | set(re.findall(r'data-\w+="(\w+)"', page))
    assert used <= keys


def test_plans_and_datasets_show_themselves(plan: Path) -> None:
    decide(client(plan), [0], state="rejected")
    shown = garim.load_plan(plan)._repr_html_()
    assert "<td>crop</td><td>2</td><td>0</td><td>1</td>" in shown
    table = garim.read(plan.parent / "data")._repr_html_()
    assert "6 pictures, 3 classes" in table and "<td>개</td><td>1</td>" in table
