"""WebDataset's shards, against the library of that name, and against tars that strangers made."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
import webdataset
from datasets_on_disk import contents, draw_picture, draw_pictures

from garim import formats
from garim.boxes import Box
from garim.errors import FormatError
from garim.formats import webdataset as shards
from garim.formats.rows import Object, Row


def tarred(path: Path, members: dict[str, bytes | tarfile.TarInfo]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = data if isinstance(data, tarfile.TarInfo) else tarfile.TarInfo(name)
            content = data if isinstance(data, bytes) else b""
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def picture(tmp_path: Path) -> bytes:
    draw_picture(tmp_path / "one.png")
    return (tmp_path / "one.png").read_bytes()


def test_the_library_reads_what_garim_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "MOST_SAMPLES", 2)
    rows = tuple(
        Row(file_name=f"a/{n}.v1.png", label=label, split="train",
            objects=(Object("dog", Box(1, 2, 3, 4.5)),))
        for n, label in enumerate(("dog", "cat", "dog"))
    )  # fmt: skip
    draw_pictures(tmp_path / "source", rows)
    formats.write(contents(*rows, classes=("dog", "cat")), tmp_path / "source", tmp_path / "out",
                  "webdataset")  # fmt: skip
    assert len(list((tmp_path / "out").glob("train-*.tar"))) == 2
    pattern = str(tmp_path / "out/train-{000000..000001}.tar")
    found = list(webdataset.WebDataset(pattern, shardshuffle=False).decode("pil"))
    assert [one["cls"] for one in found] == [0, 1, 0]
    assert [one["png"].size for one in found] == [(37, 23), (38, 23), (39, 23)]
    assert found[0]["json"]["objects"] == {"bbox": [[1, 2, 2, 2.5]], "category": ["dog"]}
    assert formats.read(Path(pattern))[1] == formats.read(tmp_path / "out")[1]


def test_garim_reads_what_the_library_writes(tmp_path: Path, picture: bytes) -> None:
    with webdataset.ShardWriter(str(tmp_path / "val-%04d.tar"), maxcount=2, verbose=0) as out:
        for number in range(3):
            out.write({"__key__": f"deep/{number:03}", "png": picture, "cls": number})
        out.write({"__key__": "named", "jpg": picture, "json": {"label": "cat", "size": [1, 2]}})
    (tmp_path / "classes.txt").write_text("dog\nbird\n")
    (tmp_path / "one.png").unlink()
    root, found = formats.read(tmp_path)
    assert not found.failures
    assert [(row.label, row.split) for row in found.rows] == [
        (label, "validation") for label in ("dog", "bird", "2", "cat")
    ]
    assert all((root / row.file_name).read_bytes() == picture for row in found.rows)


def test_members_that_lead_outside_are_left_out(
    tmp_path: Path, picture: bytes, own_cache: Path
) -> None:
    link, device = tarfile.TarInfo("b.png"), tarfile.TarInfo("c.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device.type = tarfile.CHRTYPE
    path = tarred(tmp_path / "a.tar", {
        "../out.png": picture, "/abs.png": picture, "b.png": link, "c.png": device,
        "d.cls": b"1", "e.png": picture, "e.json": b"{", "f.png": picture, "f.cls": b"dog",
    })  # fmt: skip
    root, found = formats.read(path)
    assert [row.label for row in found.rows] == ["dog"]
    assert {one.picture.split(": ")[1] for one in found.failures} == {
        "../out.png", "/abs.png", "b.png", "c.png", "d", "e",
    }  # fmt: skip
    outside = [one for one in own_cache.rglob("*.png") if not one.is_relative_to(root)]
    assert not outside


@pytest.mark.parametrize("cut", [0, 100, 700])
def test_a_broken_shard_is_named(cut: int, tmp_path: Path, picture: bytes) -> None:
    path = tarred(tmp_path / "a.tar", {"a.png": picture * 20})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(FormatError, match=r"a\.tar: is not a whole tar file"):
        formats.read(path)


def test_a_shard_that_is_missing_is_said(tmp_path: Path, picture: bytes) -> None:
    tarred(tmp_path / "a-0.tar", {"a.png": picture})
    with pytest.raises(FormatError, match="all of those that its name counts"):
        formats.read(tmp_path / "a-{0..1}.tar", "webdataset")


def test_several_labels_and_masks_come_back(tmp_path: Path) -> None:
    rows = tuple(
        Row(file_name="1.png", label=label, mask_file_name="m.png") for label in ("cat", "dog")
    )
    draw_pictures(tmp_path / "source", rows)
    formats.write(contents(*rows), tmp_path / "source", tmp_path / "out", "webdataset")
    root, found = formats.read(tmp_path / "out")
    assert [row.label for row in found.rows] == ["cat", "dog"]
    assert len({row.file_name for row in found.rows}) == 1
    assert {json.dumps(row.mask_file_name) for row in found.rows} != {"null"}
    mask = root / str(found.rows[0].mask_file_name)
    assert mask.read_bytes() == (tmp_path / "source/m.png").read_bytes()
