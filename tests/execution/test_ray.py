"""The Ray engine, on a cluster of two nodes of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from stages import Squares
from test_executed import done, expected

from garim.errors import ExecutionError, ModelError
from garim.execution import ExecutionSettings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
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
    stage = Squares(root=tmp_path / "root", bad=(3, 24), seconds=0.02)
    execution = ExecutionSettings(engine="ray", address=address, workers=2, shard=4,
                                  work=tmp_path / "work")  # fmt: skip
    assert done(stage, execution) == expected(stage.bad)
    assert not (tmp_path / "work").exists()
    killed = replace(stage, deadly=9)
    assert done(killed, execution) == expected(stage.bad)
    assert list(stage.root.glob("death-*"))
    with pytest.raises(ModelError, match="there is no model"):
        done(replace(stage, wrong=True), execution)
    with pytest.raises(ExecutionError, match=r"shard-00002.parquet: 2 workers were killed"):
        done(replace(killed, lives=9), execution)
    with pytest.raises(ExecutionError, match="does not see"):
        done(replace(stage, root=tmp_path / "elsewhere"), execution)
