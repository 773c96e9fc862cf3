"""``garim.extract``: the plan, what is reported, and going on after an interruption."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import SIDE, Oracle, draw

from garim import files, pictures
from garim.boxes import Box
from garim.dataset import Dataset, read
from garim.errors import ExecutionError, ModelError, PlanError, SettingsError
from garim.execution import ExecutionSettings
from garim.extraction import METHODS, ExtractSettings, extract
from garim.extraction.methods import Proposal, Task
from garim.formats.rows import Object, Row
from garim.models.localizer import Localizer
from garim.pictures import Decoded
from garim.plan import ApplySettings, Plan, apply, load
from garim.streaming import default_workers

WINDOWS = ExtractSettings(method="windows", grid=9, kernel=7, rounds=5)
ONE_AT_A_TIME = replace(WINDOWS, batch=1)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return draw(tmp_path / "data")


def lines(plan: Plan) -> list[dict[str, Any]]:
    return [edit.to_dict() for edit in plan]


def test_the_plan_is_complete(data: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "new" / "plan.jsonl"
    found = extract(data, Oracle(), WINDOWS, out)
    plan = load(out)
    assert lines(plan) == lines(found.plan) and found.path == out
    assert [path.name for path in out.parent.iterdir()] == ["plan.jsonl"]
    assert (plan.dataset, plan.method, plan.model) == (data.root.resolve(), "windows", "oracle")
    assert plan.settings == json.loads(json.dumps(asdict(replace(WINDOWS, runtime="torch"))))
    assert plan.selection == json.loads(json.dumps(asdict(data.selection)))
    assert [e.picture for e in plan] == [row.file_name for row in data]
    for edit, row in zip(plan, data, strict=True):
        assert edit.edit == ("crop" if row.label == "red" else "keep")
        assert edit.digest == files.digest(data.path(row))
        assert edit.size == pictures.open_picture(data.path(row)).size
        assert (edit.label, edit.model, edit.state) == (row.label, "oracle", "proposed")
        assert edit.reason and edit.history and edit.score_before is not None
    first = out.read_text().splitlines()[1]
    promised = "picture edit label digest size reason score_before score_after model history"
    assert set(json.loads(first)) >= set(promised.split())
    rounds = json.loads(first)["history"][0]
    assert set(rounds) == {"round", "box", "score", "predicted", "changed"}


def test_the_boxes_hold_the_squares(data: Dataset) -> None:
    for edit in extract(data, Oracle(), WINDOWS).plan:
        if edit.edit == "crop":
            left = 4 + 8 * int(Path(edit.picture).stem[-1])
            box = edit.box
            assert box is not None and box == box.rounded()
            assert box.left <= left + 1 and left + 19 <= box.right
            assert box.top <= 41 and box.bottom >= 59
            assert box.area < 4 * 20 * 20


def test_counts(data: Dataset) -> None:
    (data.root / "red" / "broken.png").write_bytes(b"\x89PNG no")
    rows = (*data.rows, Row(file_name="red/broken.png", label="red"),
            Row(file_name=data.rows[0].file_name, label="strange"),
            Row(file_name=data.rows[0].file_name),
            replace(data.rows[-1], label="other"), replace(data.rows[0], label="red"))  # fmt: skip
    found = extract(replace(data, rows=rows), Oracle(), WINDOWS)
    told = found.to_dict()
    assert set(told) == {
        "pictures", "proposed", "unchanged", "no_box", "relabelled", "failed", "seconds", "plan"
    }  # fmt: skip
    assert told["pictures"] == len(rows)
    assert told["pictures"] == sum(told[n] for n in ("proposed", "unchanged", "no_box")) + 3
    errors = [one["error"] for one in told["failed"]]
    assert "cannot be opened" in errors[0]
    assert errors[1:] == ["its label 'strange' is not one of the model's classes", "has no label"]
    bad = [e for e in found.plan if e.error]
    assert all(e.edit == "keep" and e.box is None and e.digest is None for e in bad)
    assert [e.picture for e in found.plan] == [row.file_name for row in rows]


def test_a_picture_listed_once_per_label_is_searched_for_each(data: Dataset) -> None:
    row = next(row for row in data if row.label == "red")
    box = Box(0, 0, 9, 9)
    both = replace(row, objects=(Object("red", box), Object("other", box), Object("red", box)))
    listed = replace(data, rows=(both,)).one_row_per_label()
    plan = extract(listed, Oracle(), WINDOWS).plan
    assert [(e.picture, e.label) for e in plan] == [
        (row.file_name, "red"),
        (row.file_name, "other"),
    ]
    assert plan.edits[0].box != plan.edits[1].box


def test_together_as_one_by_one(data: Dataset) -> None:
    for method in ("windows", "document"):
        one = replace(ONE_AT_A_TIME, method=method)
        many = replace(one, batch=1000)
        assert extract(data, Oracle(), one).plan.edits == extract(data, Oracle(), many).plan.edits


def test_a_training_picture_is_judged_by_its_fold(data: Dataset) -> None:
    digests = [files.digest(data.path(row)) for row in data]
    folds = [Oracle("0"), Oracle("1")]
    fold_of = {digests[0]: 0, digests[1]: 1, digests[2]: 1}
    model = Oracle("whole", folds, folds=2, fold_of=fold_of)
    many = replace(WINDOWS, rounds=1, batch=1000)
    first = extract(data, model, many).plan
    assert [sum(one.seen) for one in (folds[0], folds[1], model)] == [
        n * (1 + 15) for n in (1, 2, 3)
    ]
    assert all(edit.model == "whole" for edit in first)
    extract(data, model, replace(many, out_of_fold=False))
    assert sum(folds[0].seen) == 16


def test_the_pictures_that_wait_are_bounded(tmp_path: Path, monkeypatch) -> None:
    data = draw(tmp_path / "data", 60)
    opened, real = [0], pictures.open_picture

    def counting(path: Path, at_least: int | None = None) -> pictures.Decoded:
        opened[0] += 1
        return real(path, at_least)

    most, done = [0], [0]

    class Watching(Oracle):
        def scores(self, batch, batch_size: int = 64):
            most[0] = max(most[0], opened[0] - done[0])
            done[0] += len(batch) == 1
            return super().scores(batch)

    monkeypatch.setattr(pictures, "open_picture", counting)
    extract(data, Watching(), replace(ONE_AT_A_TIME, rounds=1))
    assert opened[0] == 60
    assert most[0] <= 4 * default_workers() + 1


class Killer(Oracle):
    """Kills its process at the n-th call."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.left = calls

    def scores(self, batch, batch_size: int = 64):
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().scores(batch)


def killed(data: Dataset, out: Path, settings: ExtractSettings, calls: int, shard: int = 1) -> None:
    # Not os.fork: a process that has used Polars cannot go on using it after a fork.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["garim", "oracles"])
    execution = ExecutionSettings(shard=shard)
    child = context.Process(target=extract, args=(data, Killer(calls), settings, out, execution))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("shard", [1, 2, 40])
@pytest.mark.parametrize("calls", [1, 5, 9])
def test_killed_and_run_again(data: Dataset, tmp_path: Path, shard: int, calls: int,
                              monkeypatch) -> None:  # fmt: skip
    out, unfinished = tmp_path / "plan.jsonl", tmp_path / "plan.jsonl.unfinished"
    whole = extract(data, Oracle(), ONE_AT_A_TIME).plan
    killed(data, out, ONE_AT_A_TIME, calls, shard)
    assert not out.exists()
    done = len(list(unfinished.glob("shard-*.parquet"))) * shard
    opened: list[str] = []
    real = pictures.open_picture
    monkeypatch.setattr(pictures, "open_picture", lambda path, at_least=None: (
        opened.append(path.name), real(path, at_least))[1])  # fmt: skip
    again = extract(data, Oracle(), ONE_AT_A_TIME, out, ExecutionSettings(shard=shard))
    assert lines(again.plan) == lines(load(out)) == lines(whole)
    assert len(opened) == len(data) - done
    assert not unfinished.exists()


def test_names_with_unicode_line_separators_resume(tmp_path: Path) -> None:
    data = draw(tmp_path / "data", 4)
    rows = []
    for number, row in enumerate(data):
        name = f"{row.label}/\u2028\x85{number}.png"
        data.path(row).rename(data.root / name)
        rows.append(replace(row, file_name=name))
    data, out = replace(data, rows=tuple(rows)), tmp_path / "plan.jsonl"
    killed(data, out, ONE_AT_A_TIME, 12)
    assert list((tmp_path / "plan.jsonl.unfinished").glob("shard-*.parquet"))
    plan = extract(data, Oracle(), ONE_AT_A_TIME, out, ExecutionSettings(shard=1)).plan
    assert [edit.picture for edit in plan] == [row.file_name for row in rows]


def test_the_unfinished_work_of_another_run_is_kept(data: Dataset, tmp_path: Path) -> None:
    out, unfinished = tmp_path / "plan.jsonl", tmp_path / "plan.jsonl.unfinished"
    one = ExecutionSettings(shard=1)
    killed(data, out, ONE_AT_A_TIME, 16)
    before = {path: path.read_bytes() for path in unfinished.glob("[rs]*")}
    with pytest.raises(ExecutionError, match=r"another run \(settings differ\)"):
        extract(data, Oracle(), replace(ONE_AT_A_TIME, rounds=1), out, one)
    with pytest.raises(ExecutionError, match=r"another run \(model differ\)"):
        extract(data, Oracle("another model"), ONE_AT_A_TIME, out, one)
    with pytest.raises(ExecutionError, match=r"another run \(items, digest differ\)"):
        extract(replace(data, rows=data.rows[1:]), Oracle(), ONE_AT_A_TIME, out, one)
    assert {path: path.read_bytes() for path in unfinished.glob("[rs]*")} == before


def test_an_error_in_the_middle_leaves_what_is_done(data: Dataset, tmp_path: Path) -> None:
    class Tired(Killer):
        def scores(self, batch, batch_size: int = 64):
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt
            return Oracle.scores(self, batch)

    one = ExecutionSettings(shard=1)
    with pytest.raises(KeyboardInterrupt):
        extract(data, Tired(16), ONE_AT_A_TIME, tmp_path / "plan.jsonl", one)
    names = sorted(path.name for path in (tmp_path / "plan.jsonl.unfinished").iterdir())
    assert names[0] == "run.json" and "shard-00000.parquet" in names


def test_the_default_method(data: Dataset) -> None:
    assert extract(data, Oracle()).plan.method == "windows"
    model = Oracle()
    model.localizer = Localizer([1], 2, 4, 64)
    called = []
    before = METHODS["self"]
    METHODS["self"] = lambda c, s: called.append(s.method) or METHODS["windows"](c, s)  # type: ignore[func-returns-value]
    try:
        assert extract(data, model).plan.method == "self"
    finally:
        METHODS["self"] = before
    assert called == ["self"]


def test_self_without_a_localizer(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no localizer"):
        extract(data, Oracle(), ExtractSettings(method="self"), tmp_path / "plan.jsonl")
    assert not list(tmp_path.glob("plan*"))


def test_a_folder_in_the_plans_place(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="is a folder"):
        extract(data, Oracle(), WINDOWS, tmp_path)


def test_a_model_of_other_classes(data: Dataset) -> None:
    with pytest.raises(ModelError, match="the model knows a, b, but the dataset has other, red"):
        extract(data, Oracle(classes=("a", "b")), WINDOWS)


def test_every_setting_that_cannot_work_is_told_at_once() -> None:
    wrong = ExtractSettings(method="document", grid=4, kernel=4, rounds=0, batch=0, skip_above=2)
    with pytest.raises(SettingsError) as caught:
        wrong.check(tuple(METHODS))
    assert len(caught.value.problems) == 5
    with pytest.raises(
        SettingsError, match="no method 'x'; known: self, activation, windows, document"
    ):
        ExtractSettings(method="x").check(tuple(METHODS))
    for even in (ExtractSettings(method="document", grid=8), replace(WINDOWS, method="document",
                 grid=9, kernel=4)):  # fmt: skip
        with pytest.raises(SettingsError, match="odd N and K only"):
            even.check(tuple(METHODS))


def test_a_box_that_is_the_whole_picture_is_no_crop(data: Dataset, monkeypatch) -> None:
    from garim.extraction.methods import Proposal

    class Whole:
        decodes_at_least, pictures_at_once = None, 3

        def look(self, picture):
            return None

        def __call__(self, tasks):
            boxes = [Box.whole(*t.picture.size).shift(0.3, -0.4) for t in tasks]
            scores = {"score_before": 0.5, "score_after": 0.6}
            return [Proposal(box=box, changed=True, reason="", **scores) for box in boxes]

    monkeypatch.setitem(METHODS, "windows", lambda classifier, settings: Whole())
    told = extract(data, Oracle(), WINDOWS).to_dict()
    assert (told["proposed"], told["unchanged"]) == (0, len(data))


def test_a_network_gives_the_same_as_itself(data: Dataset) -> None:
    import torch

    from garim.models.classifier import Classifier
    from garim.models.networks import create

    torch.manual_seed(0)
    network = create("small_cnn", 2, {"width": 8})
    card = replace(Oracle().card, size=32)
    one, many = (
        extract(data, Classifier(network, card), replace(WINDOWS, batch=b)).plan for b in (1, 999)
    )
    assert [e.box for e in one] == [e.box for e in many]
    scores = [[e.score_before for e in plan] for plan in (one, many)]
    assert np.allclose(*scores, atol=1e-5)


class Twins:
    """Finds two objects in every picture."""

    decodes_at_least = None
    pictures_at_once = 2

    def __init__(self, classifier: Oracle, settings: ExtractSettings) -> None:
        self.classifier = classifier

    def look(self, picture: Decoded) -> None:
        """Look at nothing."""

    def __call__(self, tasks: Sequence[Task[None]]) -> list[Proposal]:
        self.classifier.scores(np.zeros((len(tasks), SIDE, SIDE, 3), np.uint8))
        return [
            Proposal(box=Box(1, 2, 11, 12), more=(Box(20, 2, 30, 9),), changed=True,
                     score_before=0.4, score_after=0.9, reason="two")
            for _ in tasks
        ]  # fmt: skip


@pytest.fixture
def twins(monkeypatch: pytest.MonkeyPatch) -> ExtractSettings:
    monkeypatch.setitem(METHODS, "windows", Twins)
    return replace(WINDOWS, instances=True)


def test_every_object_has_a_line(data: Dataset, tmp_path: Path, twins: ExtractSettings) -> None:
    found = extract(data, Oracle(), twins, tmp_path / "plan.jsonl")
    assert [e.instance for e in found.plan] == [1, 2] * len(data)
    told = found.to_dict()
    assert (told["pictures"], told["proposed"]) == (len(data), 2 * len(data))
    crops = apply(load(tmp_path / "plan.jsonl"), to=tmp_path / "crops")
    assert crops.pictures == 2 * len(data)
    apply(load(tmp_path / "plan.jsonl"), to=tmp_path / "boxes",
          settings=ApplySettings(as_boxes=True))  # fmt: skip
    for row in read(tmp_path / "boxes").rows:
        assert [o.box for o in row.objects] == [Box(1, 2, 11, 12), Box(20, 2, 30, 9)]


def test_a_new_label_is_proposed_for_the_label_of_the_folder_only(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mistaken(Twins):
        def __call__(self, tasks: Sequence[Task[None]]) -> list[Proposal]:
            return [
                Proposal(box=None, changed=False, score_before=0.1, score_after=0.1, reason="no",
                         instead="other")
                for _ in tasks
            ]  # fmt: skip

    monkeypatch.setitem(METHODS, "windows", Mistaken)
    found = extract(data, Oracle(), WINDOWS)
    assert {(e.edit, e.to) for e in found.plan} == {("relabel", "other")}
    assert (found.to_dict()["no_box"], found.to_dict()["relabelled"]) == (len(data), len(data))
    every = replace(data, selection=replace(data.selection, labels="all"))
    assert {e.edit for e in extract(every, Oracle(), WINDOWS).plan} == {"keep"}
