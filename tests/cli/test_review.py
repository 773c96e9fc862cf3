"""The command ``garim review``: served, killed, refused."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from filelock import FileLock
from PIL import Image

from conftest import Command
from garim.plan import Edit, Plan


def _plan(folder: Path) -> Path:
    data = folder / "data"
    (data / "blue").mkdir(parents=True)
    Image.new("RGB", (32, 32), "blue").save(data / "blue" / "0.png")
    edits = (Edit(picture="blue/0.png", edit="drop", label="blue"),)
    Plan(dataset=data, edits=edits).save(folder / "plan.jsonl")
    return folder / "plan.jsonl"


def test_served_decided_and_interrupted(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    line = [sys.executable, "-m", "garim.cli", "review", str(plan), "--no-browser", "--json"]
    code = "import sys; from garim.cli import main; sys.argv = sys.argv[1:]; main()"
    line[1:3] = ["-c", code, "garim"]
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr and server.stdout
        said = server.stderr.readline()
        found = re.search(r"(http://127\.0\.0\.1:\d+)/\?token=\S+", said)
        assert found, said
        home = found.group(1)
        with urllib.request.urlopen(found.group(0)) as page:
            cookie = page.headers["Set-Cookie"].split(";")[0]
        body = json.dumps({"numbers": [0], "set": {"state": "rejected"}}).encode()
        headers = {"Cookie": cookie, "Origin": home, "Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(f"{home}/api/decide", body, headers)).close()
        os.kill(server.pid, signal.SIGINT)
        try:
            out, err = server.communicate(timeout=20)
        finally:
            server.kill()
    assert server.returncode == 0 and "Traceback" not in err
    told = json.loads(out)
    assert told["states"] == {"proposed": 0, "accepted": 0, "rejected": 1}
    assert Path(told["decisions"]).read_text().count("\n") == 1


def test_refused(command: Command, tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    with FileLock(tmp_path / "plan.decisions.lock"):
        ended = command("review", plan, "--no-browser")
    assert ended.status == 2 and "under review already" in ended.err
    ended = command("review", plan, "--no-browser", "--port", "70000")
    assert ended.status == 2 and "--port" in ended.err
    assert command("review", tmp_path / "none.jsonl").status == 2


def test_a_dataset_that_was_moved(command: Command, tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    (tmp_path / "data").rename(tmp_path / "moved")
    ended = command("review", plan, "--no-browser")
    assert ended.status == 2 and "--data" in ended.err and "data: there is no such" in ended.err
