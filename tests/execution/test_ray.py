"""The Ray engine, on a cluster of two nodes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from stages import Squares
from test_executed import done, expected, wait_for

from garim.dataset import Dataset
from garim.errors import ExecutionError, ModelError
from garim.execution import ExecutionSettings
from garim.extraction import ExtractSettings, extract
from garim.models.classifier import Classifier

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # where workers find the stages
        yield from _cluster()


def _cluster() -> Iterator[str]:
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 100 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **memory})
    cluster.add_node(num_cpus=1, **memory)
    yield cluster.address
    cluster.shutdown()


def test_as_in_one_process(address: str, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    stage = Squares(root=tmp_path / "root", bad=(3, 24), deadly=9, seconds=0.02)
    execution = ExecutionSettings(engine="ray", address=address, workers=2, shard=4,
                                  work=tmp_path / "work")  # fmt: skip
    assert done(stage, execution) == expected(stage.bad)
    assert not (tmp_path / "work").exists()
    assert len(list(stage.root.glob("death-*"))) == 1
    one = replace(execution, workers=1)
    with pytest.raises(ModelError, match="there is no model"):
        done(replace(stage, wrong=True), one)
    with pytest.raises(ExecutionError, match=r"shard-00002.parquet: 2 workers were killed"):
        done(replace(stage, lives=9), one)
    with pytest.raises(ExecutionError, match="does not see"):
        done(replace(stage, root=tmp_path / "elsewhere"), one)


def test_extract_as_in_one_process(
    address: str, data: Dataset, classifier: Classifier, tmp_path: Path
) -> None:
    settings = ExtractSettings(method="windows", grid=3, kernel=2, rounds=1)
    here, there = (
        extract(data, classifier, settings, tmp_path / f"{how.engine}.jsonl", how).plan.edits
        for how in (
            ExecutionSettings(shard=3),
            ExecutionSettings(engine="ray", address=address, workers=2, shard=3),
        )
    )
    assert here == there and len(there) == 9
    assert [edit.picture for edit in there if edit.error] == ["a/broken.jpg"]


def test_a_killed_driver_goes_on(address: str, tmp_path: Path) -> None:
    numbers, work = list(range(80)), tmp_path / "work"
    (tmp_path / "root").mkdir()
    stage = Squares(root=tmp_path / "root", seconds=0.1)
    execution = ExecutionSettings(engine="ray", address=address, workers=2, shard=4, work=work)
    driver = multiprocessing.get_context("forkserver").Process(
        target=done, args=(stage, execution, numbers)
    )
    driver.start()
    wait_for(lambda: len(list(work.glob("shard-*.parquet"))) >= 3, 180)
    os.kill(driver.pid or 0, signal.SIGKILL)
    driver.join()
    wait_until_still(stage.root, 1.5)  # Ray ends a dead driver's actors
    finished = {int(path.stem.split("-")[1]) for path in work.glob("shard-*.parquet")}
    assert 3 <= len(finished) < 20
    before = len(stage.begun())
    for path in stage.root.glob("begun-*"):
        path.unlink()
    again = done(replace(stage, seconds=0), replace(execution, workers=1), numbers)
    assert again == expected(items=numbers)
    left = set(range(20)) - finished
    assert stage.begun() == [4 * number for number in sorted(left)]
    assert before + len(left) <= 20 + execution.workers
    assert not work.exists()


def test_the_process_that_leads_is_lost(address: str, tmp_path: Path) -> None:
    """Ray ends it with `_exit` when the cluster is gone; whoever calls Garim lives on."""
    numbers, work = list(range(80)), tmp_path / "work"
    (tmp_path / "root").mkdir()
    stage = Squares(root=tmp_path / "root", seconds=0.1)
    execution = ExecutionSettings(engine="ray", address=address, shard=4, work=work)

    def kill() -> None:
        wait_for(lambda: any(work.glob("shard-*.parquet")), 180)
        for child in multiprocessing.active_children():
            child.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ExecutionError, match=r"has ended \(exit code -9: .*run again to go on"):
        done(stage, execution, numbers)
    killer.join()
    wait_until_still(stage.root, 1.5)
    finished = len(list(work.glob("shard-*.parquet")))
    assert 1 <= finished < 20
    before = len(stage.begun())
    again = done(replace(stage, seconds=0), ExecutionSettings(shard=4, work=work), numbers)
    assert again == expected(items=numbers)
    assert len(stage.begun()) - before == 20 - finished


def test_the_cluster_that_a_script_is_connected_to(address: str, tmp_path: Path) -> None:
    import ray

    (tmp_path / "root").mkdir()
    execution = ExecutionSettings(engine="ray", workers=2, shard=4)
    ray.init(address=address, log_to_driver=False)
    try:
        assert done(Squares(root=tmp_path / "root"), execution) == expected()
        assert ray.is_initialized()
        alive = ray.cluster_resources()["CPU"]
    finally:
        ray.shutdown()
    assert alive == 2


def wait_until_still(folder: Path, seconds: float) -> None:
    """Wait until nothing has come into a folder for so long."""
    known, since = -1, 0.0
    while known < 0 or time.monotonic() - since < seconds:
        now = len(list(folder.iterdir()))
        if now != known:
            known, since = now, time.monotonic()
        time.sleep(0.1)
