"""The documentation says what is true: its commands parse, its links lead somewhere, it runs."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import garim
from garim.cli import app, by_task, run
from garim.cli.show import DONE, SOME_FAILED
from garim.demo.messy import draw_dataset, write_truth

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "README.ko.md", ROOT / "CONTRIBUTING.md",
         ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]  # fmt: skip
SMALL = ["--backbone", "small_cnn", "--size", "32", "--epochs", "2"]

_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def blocks(page: Path, *languages: str) -> list[str]:
    found = _FENCE.findall(page.read_text(encoding="utf-8"))
    return [textwrap.dedent(text) for _, language, text in found if language in languages]


def commands(text: str) -> list[list[str]]:
    """Give the words of every ``garim`` command in a block for the shell."""
    lines = text.replace("\\\n", " ").splitlines()
    words = (shlex.split(line.removeprefix("$ "), comments=True) for line in lines)
    return [one[1:] for one in words if one and one[0].rpartition("/")[2] == "garim"]


SHOWN = [
    pytest.param(command, id=f"{page.parent.name}/{page.name}: {shlex.join(command)}")
    for page in PAGES
    if page.name != "cli.md"
    for block in blocks(page, "sh", "bash", "console")
    for command in commands(block)
]


@pytest.mark.parametrize("command", SHOWN)
def test_commands_parse(command: list[str]) -> None:
    app.parse_args(by_task(command), exit_on_error=False, print_error=False)


def test_unknown_options_would_be_found() -> None:
    with pytest.raises(Exception, match="--no-such"):
        app.parse_args(["undo", "DATA", "--no-such"], exit_on_error=False, print_error=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_names_exist(page: Path) -> None:
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("garim"):
                module = importlib.import_module(node.module or "")
                assert not [one.name for one in node.names if not hasattr(module, one.name)]
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert node.value.id != "garim" or hasattr(garim, node.attr), node.attr


def anchors(page: Path) -> set[str]:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {re.sub(r"[\s-]+", "-", title).strip("-") for title in plain}


def test_both_tutorials_show_the_same() -> None:
    english, korean = ROOT / "docs/tutorial.md", ROOT / "docs/ko/tutorial.md"
    every = ("", "sh", "python", "json", "text")
    assert blocks(english, *every) == blocks(korean, *every) != []
    for title in (r"^## \d", r"^\| `[^`]+`"):
        shown = [re.findall(title, page.read_text(), re.MULTILINE) for page in (english, korean)]
        assert shown[0] == shown[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in _LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name} links to {link}"


@pytest.mark.parametrize("name", ["cli", "api"])
def test_the_references_are_current(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    page = importlib.import_module(f"{name}_reference").reference()
    found = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert found == page, f"run tools/{name}_reference.py"


def test_every_command_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    names = [name for name in app if not name.startswith("-")]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_both_readmes_show_the_same() -> None:
    english, korean = ROOT / "README.md", ROOT / "README.ko.md"
    every = ("", "sh", "python", "json", "text")
    assert blocks(english, *every) == blocks(korean, *every)


def test_every_page_is_in_the_navigation() -> None:
    listed = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if f": {page}\n" not in listed] == []


def main_job() -> list[list[str]]:
    """Give the commands of the README's main job: the longest block of commands."""
    return max(map(commands, blocks(ROOT / "README.md", "sh")), key=len)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw a small messy dataset, as class folders without splits."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_dataset(folder / "messy", pictures_per_class=8, test_per_class=1)
    return folder / "messy" / "train"


@pytest.mark.slow
def test_the_main_job_runs(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").symlink_to(photos, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    for command in main_job():
        more = SMALL if command[0] == "train" else []
        assert run([*command, *more, "--quiet"]) in {DONE, SOME_FAILED}, shlex.join(command)
    assert (tmp_path / "for-yolo/data.yaml").is_file()


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every command of the Korean tutorial, which shows those of the English one."""
    drawn = draw_dataset(tmp_path / "garim-demo/messy", pictures_per_class=8, test_per_class=1)
    write_truth(drawn, tmp_path / "garim-demo/truth.csv")
    monkeypatch.chdir(tmp_path)
    shown = "\n".join(blocks(ROOT / "docs/ko/tutorial.md", "sh")).splitlines()
    assert shown.pop(0) == "garim demo garim-demo"  # has tests of its own, in tests/demo
    for line in filter(None, shown):
        quick = line.replace("--size 64 --epochs 30", "--size 32 --epochs 2")
        program, *words = shlex.split(quick)
        if program == "garim":
            assert run([*words, "--quiet"]) in {DONE, SOME_FAILED}, line
        else:
            subprocess.run([program, *words], check=True)
    before, after = (sorted(p for p in Path(one).rglob("*") if p.is_file())
                     for one in ("garim-demo/messy", "mine"))  # fmt: skip
    assert [one.read_bytes() for one in before] == [
        one.read_bytes() for one in after if ".garim" not in one.parts]  # fmt: skip


@pytest.mark.slow
def test_the_main_job_runs_in_python(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").symlink_to(photos, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    trained = garim.train
    small = garim.TrainSettings(backbone="small_cnn", size=32, epochs=2)
    monkeypatch.setattr(garim, "train", lambda data, out: trained(data, small, out))
    (block,) = blocks(ROOT / "README.md", "python")
    exec(compile(block, "README.md", "exec"), {})
    assert (tmp_path / "for-yolo/data.yaml").is_file()


TRY = """
import numpy as np
from PIL import Image
from pathlib import Path
import garim
from garim.formats import FORMATS
from garim.models.networks import create
from garim.extraction import METHODS, ExtractSettings
from garim.models.classifier import Card, Classifier

for label in ("고양이", "dog"):
    (Path("photos") / label).mkdir(parents=True)
    for number in range(2):
        pixels = np.full((20, 30, 3), 40 * number, np.uint8)
        Image.fromarray(pixels).save(Path("photos") / label / f"{number}.png")
data = garim.read("photos")
again = garim.write(data, "listed", "list")
assert again.selection.format == "list" and again.counts() == data.counts()
assert FORMATS["list"].detect(Path("listed")) and len(garim.read("listed")) == 4

card = Card(architecture="wide_cnn", classes=data.classes, size=32,
            mean=(0.5,) * 3, std=(0.5,) * 3)
model = Classifier(create("wide_cnn", 2), card)
found = garim.extract(data, model, ExtractSettings(method="centre"))
assert [edit.box.xywh() for edit in found.plan] == [[4, 3, 22, 14]] * 4, found.plan.edits
"""


@pytest.mark.slow
def test_the_diffs_of_the_guide_apply_and_work(tmp_path: Path) -> None:
    diffs = blocks(ROOT / "docs/extend.md", "diff")
    assert len(diffs) == 3
    listed = subprocess.run(["git", "--version"], capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("git is not here")
    package = tmp_path / "src" / "garim"
    for path in (ROOT / "src" / "garim").rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            copy = package / path.relative_to(ROOT / "src" / "garim")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    for diff in diffs:
        subprocess.run(["git", "apply", "-"], input=diff, text=True, cwd=tmp_path, check=True)
    where = f"import sys; sys.path.insert(0, {str(tmp_path / 'src')!r})\n"
    done = subprocess.run([sys.executable, "-c", where + TRY], cwd=tmp_path,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
