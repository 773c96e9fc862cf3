"""The audit as a whole: its table, its frames, its plan, its page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from drawn import audited, clean, found, photo, save

import garim
from garim.audit import CHECKS, AuditSettings
from garim.cli import run
from garim.report import audit_report


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    data = clean(clean(tmp_path / "data", 8, "cat"), 4, "dog <b>")
    for seed in range(4):
        save(photo(30 + seed), data / "dog <b>" / f"{seed:02}.png")
    shutil.copy(data / "cat" / "01.png", data / "cat" / "copy.png")
    (data / "cat" / "broken.jpg").write_bytes(b"no picture")
    save(photo(90), data / "Cat" / "a.png")
    return data


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_keeps_the_contract(name: str, messy: Path) -> None:
    audit = audited(messy, only=(name,))
    if name in audit.skipped:
        assert audit.skipped[name]
        return
    one, rows = audit.findings[name], len(audit.dataset)
    assert one.scores.shape == one.issues.shape == (rows,) and one.issues.dtype == bool
    known = one.scores[one.scores == one.scores]
    assert ((known >= 0) & (known <= 1)).all()
    assert all(edit.check == name and edit.reason for edit in one.edits)
    assert all(one.issues[pair.first] and one.issues[pair.second] for pair in one.pairs)
    assert set(audit.pictures.columns) == {
        "file_name", "label", "split", f"is_{name}_issue", f"{name}_score"
    }  # fmt: skip
    assert audit.pictures[f"is_{name}_issue"].dtype == pl.Boolean


def test_only_and_skip(messy: Path) -> None:
    audit = audited(messy, only=("dark", "bright"), skip=("bright",))
    assert list(audit.findings) == ["dark"]
    with pytest.raises(garim.SettingsError, match="no check 'darkness'"):
        audited(messy, skip=("darkness",))
    with pytest.raises(garim.SettingsError, match="dark must be from 0 to 1"):
        audited(messy, dark=2.0)


def test_the_plan_is_applied_and_undone(messy: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in messy.rglob("*") if path.is_file()}
    plan = audited(messy).plan
    assert plan.counts() == {"drop": 2, "relabel": 1}
    plan.save(tmp_path / "plan.jsonl")
    again = garim.load_plan(tmp_path / "plan.jsonl")
    assert again.edits == plan.edits
    applied = garim.apply(again, to=tmp_path / "clean")
    assert applied.edits == {"drop": 2, "relabel": 1} and applied.pictures == 13
    mended = audited(tmp_path / "clean")
    assert not [name for name in mended.findings if found(mended, name)]
    assert not mended.plan.edits
    garim.apply(again, in_place=True)
    assert len(garim.read(messy)) == 13
    garim.undo(messy)
    assert {path: path.read_bytes() for path in messy.rglob("*") if path.is_file()} == before


def test_a_dropped_picture_gets_no_other_edit(messy: Path) -> None:
    shutil.copy(messy / "Cat" / "a.png", messy / "Cat" / "b.png")
    kinds = {edit.picture: edit.edit for edit in audited(messy).plan}
    assert (kinds["Cat/a.png"], kinds["Cat/b.png"]) == ("relabel", "drop")


def test_the_command(messy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "audit"
    assert run(["audit", str(messy), "--out", str(out), "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert set(told) >= {"pictures", "labels", "checks", "plan", "report", "failed"}
    assert told["labels"] == {"all": {"Cat": 1, "cat": 10, "dog <b>": 4}}
    assert list(told["checks"]) == list(CHECKS)
    assert told["checks"]["exact_duplicates"] == {"pictures": 2, "skipped_because": None}
    assert told["checks"]["outliers"]["pictures"] is None
    assert [one["picture"] for one in told["failed"]] == ["cat/broken.jpg"]
    assert garim.load_plan(told["plan"]).counts() == told["edits"] == {"drop": 2, "relabel": 1}
    noted = json.loads((out / "report.json").read_text())
    assert noted["checks"] == told["checks"] and len(noted["issues"]["exact_duplicates"]) == 2


@pytest.mark.parametrize(("fail_on", "status"), [("exact_duplicates", 1), ("dark", 0), ("any", 1)])
def test_fail_on(messy: Path, tmp_path: Path, fail_on: str, status: int) -> None:
    (messy / "cat" / "broken.jpg").unlink()
    out = ["--out", str(tmp_path / "audit"), "--quiet"]
    assert run(["audit", str(messy), "--fail-on", fail_on, *out]) == status


def test_the_page_shows_what_was_found(messy: Path, tmp_path: Path) -> None:
    audit = audited(messy)
    page = audit_report(audit, tmp_path).read_text()
    for text in ("Cannot be opened", "The same file", "needs a network", "mean the same"):
        assert text in page
    assert "dog <b>" not in page and "dog &lt;b&gt;" in page
    assert page.count("<img") >= 1 + 1 + 2 + 1  # examples, broken, a pair, a name
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_dataset_of_nothing_but_broken_files(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.png"):
        (tmp_path / "data" / "thing").mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "thing" / name).write_bytes(b"")
    audit = audited(tmp_path / "data")
    assert len(audit.failures) == 2 and found(audit, "broken") == {"thing/a.jpg", "thing/b.png"}
    audit_report(audit, tmp_path)


def test_defaults_are_those_of_the_settings() -> None:
    AuditSettings().check(tuple(CHECKS))
