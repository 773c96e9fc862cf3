"""The pinned versions can be installed: each satisfies whoever asks for it."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return {canonicalize_name(name): version for name, version in (x.split("==") for x in lines)}


def test_every_package_that_garim_names_is_pinned_to_a_version_that_it_takes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = sum(project["optional-dependencies"].values(), project["dependencies"])
    for one in map(Requirement, named):
        version = pinned().get(canonicalize_name(one.name))
        assert version is not None, f"{one.name} is not in constraints.txt"
        assert version in one.specifier, f"{one.name}=={version}"


def test_pinned_packages_take_each_other() -> None:
    versions, wrong = pinned(), []
    for name in versions:
        try:
            wanted = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:  # of an extra that is not installed here
            continue
        for one in wanted:
            pin = versions.get(canonicalize_name(one.name))
            applies = one.marker is None or one.marker.evaluate({"extra": ""})
            if pin is not None and applies and not one.specifier.contains(pin, prereleases=True):
                wrong.append(f"{name} wants {one}, pinned is {pin}")
    assert not wrong
