from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from datasets_on_disk import draw_picture

from garim import formats
from garim.errors import Failure
from garim.formats import tree
from garim.formats.tree import Finder


def outside(root: Path) -> list[tuple[str, str]]:
    """Names and folders that lead to ``out.png`` beside the root."""
    out = str(root.parent / "out.png")
    names = ["../out.png", " ../out.png", "..\\out.png", "a/../../out.png", out, f" {out}"]
    folders = ["..", str(root.parent), "images/../.."]
    return [*((name, "") for name in names), *(("out.png", folder) for folder in folders)]


@pytest.mark.parametrize("number", range(9))
def test_nothing_outside_is_found(number: int, tmp_path: Path) -> None:
    draw_picture(tmp_path / "out.png")
    (tmp_path / "root/a").mkdir(parents=True)
    name, folder = outside(tmp_path / "root")[number]
    assert isinstance(Finder(tmp_path / "root").find(name, "t", (folder,)), Failure)


def test_absolute_names_inside_are_found(tmp_path: Path) -> None:
    draw_picture(tmp_path / "a/b.png")
    assert Finder(tmp_path).find(str(tmp_path / "a/b.png"), "t", ("images", "")) == "a/b.png"


@pytest.mark.parametrize("name", ["C:/a.png", "c:a.png", "\\a.png", "a\\..\\a.png"])
def test_drives_are_refused_on_windows_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_picture(tmp_path / name)
    assert Finder(tmp_path).find(name, "t") == name
    monkeypatch.setattr(tree, "os", SimpleNamespace(name="nt"))
    found = Finder(tmp_path).find(name, "t")
    assert isinstance(found, Failure) and "leads outside" in found.error


def test_a_subset_of_cvat_cannot_lead_outside(tmp_path: Path) -> None:
    draw_picture(tmp_path / "private/a.png")
    for subset in ("../private", str(tmp_path / "private")):
        (tmp_path / "data").mkdir(exist_ok=True)
        image = f'<annotations><image name="a.png" subset="{subset}"/></annotations>'
        (tmp_path / "data/annotations.xml").write_text(image)
        found = formats.read(tmp_path / "data")[1]
        assert not found.rows and [one.picture for one in found.failures] == ["a.png"]
