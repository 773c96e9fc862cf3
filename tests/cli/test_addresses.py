"""Commands on datasets and results at an address of fsspec's memory file system."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

import garim
from conftest import Command, World


@pytest.fixture
def store() -> Iterator[fsspec.AbstractFileSystem]:
    memory = fsspec.filesystem("memory")
    yield memory
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


def test_audit_extract_and_apply_at_addresses(
    world: World,
    command: Command,
    store: fsspec.AbstractFileSystem,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    store.put(str(world.data), "/bucket/data", recursive=True)
    data, plan = "memory://bucket/data", "memory://bucket/plans/plan.jsonl"
    audited = command("audit", data, "--out", "memory://bucket/audit", "--json")
    assert audited.status in {0, 1}, audited.err
    assert {"plan.jsonl", "report.html", "report.json"} <= {
        one.rsplit("/", 1)[1] for one in store.find("/bucket/audit")
    }
    extracted = command("extract", data, "--method", "foreground", "--out", plan, "--json")
    assert extracted.status == 0, extracted.err
    assert extracted.json["pictures"] == len(garim.read(data))
    applied = command("apply", plan, "--to", "memory://bucket/crops", "--json")
    assert applied.status == 0, applied.err
    assert applied.json["to"] == "memory://bucket/crops"
    assert audited.json["plan"] == "memory://bucket/audit/plan.jsonl"
    assert applied.json["pictures"] == len(garim.read("memory://bucket/crops"))
    converted = command("convert", data, "memory://bucket/coco", "--to", "coco", "--json")
    assert converted.status == 0, converted.err
    assert store.exists("/bucket/coco/annotations/instances_all.json")
    assert not list(tmp_path.iterdir()), "an address was taken for a folder of this machine"


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "DATA", "--out", "s3://bucket/model"),
        ("undo", "s3://bucket/data"),
        ("search", "index", "DATA", "--out", "gs://bucket/index"),
        ("augment", "DATA", "--to", "s3://bucket/more"),
        ("cutout", "DATA", "--out", "s3://bucket/cut"),
        ("upscale", "DATA", "--out", "s3://bucket/large"),
        ("audit", "DATA", "--out", "OUT", "--work", "s3://bucket/work"),
    ],
)
def test_what_cannot_be_at_an_address_is_refused(
    arguments: tuple[str, ...], world: World, command: Command, tmp_path: Path
) -> None:
    places = {"DATA": str(world.data), "OUT": str(tmp_path / "out")}
    ended = command(*(places.get(word, word) for word in arguments))
    assert ended.status == 2
    assert "needs a folder of this machine" in ended.err
