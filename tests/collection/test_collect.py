"""Collecting from a server that misbehaves in every way, and from a folder."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

import garim
from garim.collection import CollectSettings, collect, download
from garim.collection.addresses import checked, is_public, read_list
from garim.errors import DatasetError, FormatError, PictureError, SettingsError

QUICK = CollectSettings(allow_private=True, delay=0, timeout=1, deadline=1.5, retries=1,
                        max_megabytes=1, longest_wait=2)  # fmt: skip


def picture(number: int = 0, kind: str = "PNG") -> bytes:
    values = np.random.default_rng(number).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    stream = BytesIO()
    Image.fromarray(values).save(stream, format=kind)
    return stream.getvalue()


def bomb() -> bytes:
    """A PNG of 30,000 × 30,000 pixels in a few bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(99)))


class Misbehaving(BaseHTTPRequestHandler):
    """Answers each path in its own way; counts what it is asked."""

    asked: ClassVar[Counter[str]] = Counter()
    agents: ClassVar[set[str]] = set()
    times: ClassVar[list[float]] = []

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].strip("/").partition("/")[0]
        self.asked[self.path] += 1
        self.agents.add(self.headers["User-Agent"])
        self.times.append(time.monotonic())
        answer = getattr(self, f"answer_{name}", None)
        if answer is None:
            self.reply(404, b"")
        else:
            answer()

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def answer_good(self) -> None:
        self.reply(200, picture(int(self.path.rpartition("/")[2].partition(".")[0])))

    def answer_same(self) -> None:
        self.reply(200, picture(1))

    def answer_slow(self) -> None:
        time.sleep(1.8)

    def answer_dribble(self) -> None:
        """A header that never ends, a byte now and then."""
        for _ in range(40):
            try:
                self.wfile.write(b"x")
                time.sleep(0.1)
            except OSError:
                return

    def answer_endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            try:
                self.wfile.write(bytes(65536))
            except OSError:
                return

    def answer_page(self) -> None:
        self.reply(200, b"<html>no picture</html>", Content_Type="image/jpeg")

    def answer_circle(self) -> None:
        self.reply(302, b"", Location="/circle")

    def answer_longer(self) -> None:
        self.reply(302, b"", Location=self.path + "/x")

    def answer_moved(self) -> None:
        self.reply(301, b"", Location="/good/7.png")

    def answer_inside(self) -> None:
        self.reply(302, b"", Location="http://127.0.0.2:1/secret.png")

    def answer_file(self) -> None:
        self.reply(302, b"", Location="file:///etc/hostname")

    def answer_bomb(self) -> None:
        self.reply(200, bomb())

    def answer_packed(self) -> None:
        self.reply(200, gzip.compress(bytes(10**6)), Content_Encoding="gzip")

    def answer_broken(self) -> None:
        self.reply(500, b"")

    def answer_busy(self) -> None:
        if self.asked[self.path] == 1:
            self.reply(429, b"", Retry_After="1")
        else:
            self.reply(200, picture(5))

    def answer_later(self) -> None:
        self.reply(503, b"", Retry_After="3600")

    def answer_cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5000")
        self.end_headers()
        self.wfile.write(picture(6)[:200])

    def answer_half(self) -> None:
        self.reply(200, picture(6, "JPEG")[:-200])

    def answer_huge(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(10**15))
        self.end_headers()


@pytest.fixture
def server() -> Iterator[str]:
    Misbehaving.asked, Misbehaving.agents, Misbehaving.times = Counter(), set(), []
    running = ThreadingHTTPServer(("127.0.0.1", 0), Misbehaving)
    running.daemon_threads = True
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{running.server_address[1]}"
    running.shutdown()
    thread.join()
    running.server_close()


def listed(path: Path, *rows: tuple[str, str]) -> Path:
    path.write_text("url,label\n" + "".join(f"{url},{label}\n" for url, label in rows))
    return path


BAD = {
    "slow": "in time", "dribble": "connection fails", "endless": "larger than 1 megabytes",
    "page": "not a picture", "circle": "in a circle", "longer": "more than 5 times",
    "file": "only http", "bomb": "too large", "packed": "compressed", "broken": "500",
    "later": "wait 3600 s", "cut": "cut off", "half": "cannot be opened", "huge": "larger than",
    "absent": "404",
}  # fmt: skip


def test_every_misbehaviour_is_a_failure_with_its_reason(server: str, tmp_path: Path) -> None:
    urls = listed(tmp_path / "urls.csv", *((f"{server}/{name}", "cat") for name in BAD),
                  (f"{server}/good/1.png", "cat"))  # fmt: skip
    started = time.monotonic()
    found = collect(urls, tmp_path / "data", QUICK)
    assert time.monotonic() - started < 15
    reasons = {one.picture.rpartition("/")[2]: one.error for one in found.failures}
    assert set(reasons) == set(BAD)
    for name, reason in BAD.items():
        assert reason in reasons[name], name
    assert found.pictures == 1 and len(garim.read(tmp_path / "data")) == 1
    assert not list((tmp_path / "data").rglob("*.tmp"))
    assert Misbehaving.asked["/broken"] == 2 and Misbehaving.asked["/absent"] == 1


def test_what_is_collected_reads_as_a_dataset_with_its_sources(server: str, tmp_path: Path) -> None:
    urls = listed(tmp_path / "urls.csv", (f"{server}/good/1.png", "cat"),
                  (f"{server}/same", "cat"), (f"{server}/same?2", "빨강"),
                  (f"{server}/moved", "dog"), (f"{server}/busy/한 글.png", "빨강"))  # fmt: skip
    found = collect(urls, tmp_path / "data", QUICK)
    assert (found.pictures, found.new, found.copies, found.failures) == (3, 3, 2, ())
    data = garim.read(tmp_path / "data")
    assert sorted(data.classes) == ["cat", "dog", "빨강"]
    assert {row.source for row in data if row.label == "dog"} == {f"{server}/moved"}
    assert [len({row.file_name for row in data}), len(data)] == [3, 4]  # one content, two labels
    (kept,) = {row.file_name for row in data if row.label == "cat"}
    assert (tmp_path / "data" / kept).read_bytes() == picture(1)
    assert {agent.partition("/")[0] for agent in Misbehaving.agents} == {"garim"}


def test_a_rerun_fetches_what_is_missing_only(server: str, tmp_path: Path) -> None:
    rows = [(f"{server}/good/{n}.png", "cat") for n in range(3)]
    collect(listed(tmp_path / "urls.csv", *rows), tmp_path / "data", QUICK)
    lost = next((tmp_path / "data" / "cat").glob("1-*"))
    lost.unlink()
    with (tmp_path / "data" / ".collected.jsonl").open("a") as journal:
        journal.write('{"source": "http://cut o')  # killed here
    urls = listed(tmp_path / "urls.csv", *rows, (f"{server}/good/3.png", "dog"))
    found = collect(urls, tmp_path / "data", QUICK)
    assert (found.pictures, found.new) == (4, 2) and lost.is_file()
    asked = {name: n for name, n in Misbehaving.asked.items() if n > 1}
    assert asked == {"/good/1.png": 2}


def test_a_host_is_asked_with_pauses(server: str, tmp_path: Path) -> None:
    urls = listed(tmp_path / "urls.csv", *((f"{server}/good/{n}.png", "cat") for n in range(4)))
    settings = CollectSettings(allow_private=True, delay=0.15)
    collect(urls, tmp_path / "data", settings)
    times = sorted(Misbehaving.times)
    assert min(b - a for a, b in pairwise(times)) > 0.1


def test_private_addresses_are_refused(server: str, tmp_path: Path) -> None:
    urls = tmp_path / "urls.txt"
    urls.write_text(f"# mine\n{server}/good/1.png\nftp://a/b\n")
    found = collect(urls, tmp_path / "data", CollectSettings(delay=0, retries=0))
    assert not Misbehaving.asked and found.pictures == 0
    assert [("no public address" in one.error) for one in found.failures] == [True, False]


def test_a_redirect_into_the_house_is_refused(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "is_public", lambda address: address == "127.0.0.1")
    urls = listed(tmp_path / "urls.csv", (f"{server}/inside", "cat"), (f"{server}/moved", "cat"))
    found = collect(urls, tmp_path / "data", CollectSettings(delay=0, retries=0))
    assert [one.error.partition(",")[0] for one in found.failures] == ["127.0.0.2 is at 127.0.0.2"]
    assert found.pictures == 1


def test_a_name_is_resolved_once_and_that_address_is_connected_to(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(server.rpartition(":")[2])
    answers = iter([("127.0.0.1", port), ("127.0.0.2", port)])
    calls: list[object] = []

    def resolve(host: str, *rest: object, **more: object) -> list[tuple[object, ...]]:
        calls.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", next(answers))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(download, "is_public", lambda address: address == "127.0.0.1")
    downloader = download.Downloader(CollectSettings(delay=0, retries=0))
    assert downloader.fetch(f"http://rebinding.test:{port}/good/1.png") == picture(1)
    with pytest.raises(PictureError, match=r"127\.0\.0\.2, which is no public"):
        downloader.fetch(f"http://rebinding.test:{port}/good/1.png")
    assert calls == ["rebinding.test"] * 2


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("127.0.0.1", False), ("10.1.2.3", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False), ("::1", False),
        ("fe80::1%eth0", False), ("fd00::1", False), ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False), ("64:ff9b::808:808", True), ("2002:7f00:1::", False),
        ("224.0.0.1", False), ("nonsense", False),
    ],
)  # fmt: skip
def test_public_addresses(address: str, expected: bool) -> None:
    assert is_public(address) is expected


def test_addresses_are_spelled_in_ascii() -> None:
    assert checked("HTTP://한글.kr/가 나?q=다#x") == (
        "http://xn--bj0bj06e.kr/%EA%B0%80%20%EB%82%98?q=%EB%8B%A4")  # fmt: skip
    for wrong in ("gopher://a/b", "http://", "http://u:p@a/b", "http://a:99999/", "http://[::1/"):
        with pytest.raises(PictureError):
            checked(wrong)


def test_a_folder_of_downloads_is_collected_by_content(tmp_path: Path) -> None:
    source = tmp_path / "downloads"
    (source / "cat").mkdir(parents=True)
    (source / "dog").mkdir()
    (source / "cat" / "a.png").write_bytes(picture(1))
    (source / "cat" / "b.jpg").write_bytes(picture(1))  # a copy, and its suffix lies
    (source / "dog" / "c.jpeg").write_bytes(picture(2, "JPEG"))
    (source / "dog" / "d.gif").write_bytes(picture(3, "GIF"))
    (source / "dog" / "e.jpg").write_bytes(b"broken")
    settings = CollectSettings(types=("jpg,png",))
    found = collect(source, tmp_path / "data", settings)
    assert (found.pictures, found.copies) == (2, 1)
    assert {one.picture for one in found.failures} == {"dog/d.gif", "dog/e.jpg"}
    names = [row.file_name for row in garim.read(tmp_path / "data")]
    assert [Path(name).suffix for name in names] == [".png", ".jpg"]
    assert collect(source, tmp_path / "data", settings).new == 0
    with pytest.raises(DatasetError, match="is inside"):
        collect(source, source / "data", settings)


def test_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no kind of picture exe"):
        CollectSettings(types=("exe",)).check()
    with pytest.raises(DatasetError, match="no such file"):
        collect(tmp_path / "no.csv", tmp_path / "data")
    (tmp_path / "list.csv").write_text("address\nhttp://a/b\n")
    with pytest.raises(FormatError, match="column named url"):
        read_list(tmp_path / "list.csv")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    with pytest.raises(DatasetError, match="is not empty"):
        collect(listed(tmp_path / "u.csv", ("http://a/b", "x")), tmp_path / "full")


def test_the_journal_is_one_line_per_picture(tmp_path: Path) -> None:
    (tmp_path / "in" / "cat").mkdir(parents=True)
    (tmp_path / "in" / "cat" / "a.png").write_bytes(picture(1))
    collect(tmp_path / "in", tmp_path / "data")
    (line,) = (tmp_path / "data" / ".collected.jsonl").read_text().splitlines()
    assert set(json.loads(line)) == {"source", "label", "file", "digest"}
