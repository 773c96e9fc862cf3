"""What is embedded, by which network, and how the index is kept."""

from __future__ import annotations

from dataclasses import dataclass

from garim.errors import SettingsError
from garim.models.embedder import Pooling, Views
from garim.training import TrainSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedSettings:
    """Which network makes the vectors, where no trained model is given, and how."""

    backbone: str | None = None
    """Any timm network, where no model is given. Default: mobilenetv2_100."""
    weights: str | None = None
    """Its starting weights: a file, `pretrained` (timm's own) or `none`. Default: pretrained."""
    weights_licence: str | None = None
    """Licence of the weights file, noted in the index."""
    accept_non_commercial: bool = False
    """Use weights whose licence forbids commercial use."""
    network_options: tuple[str, ...] = ()
    """More arguments of the network as name=value, such as pad_type=same."""
    size: int | None = None
    """Side of the network's square input in pixels. Default: the network's own."""
    mean: float | None = None
    """Subtracted from values 0 to 1. Default: the network's own, per channel."""
    std: float | None = None
    """Divided by after that. Default: the network's own, per channel."""
    pooling: Pooling | None = None
    """How the last feature map becomes a vector: as the network does before its last layer (`own`),
    its mean, its maximum, or their generalised mean. Default: own."""
    views: Views | None = None
    """What is looked at: the picture, its mirror image too, or five crops. Default: one."""
    runtime: str | None = None
    """Runs the network faster: torch, onnx, openvino or auto. Half precision moves similarities by
    up to a hundredth. Default: plain PyTorch in float32."""

    def network(self) -> TrainSettings:
        """Give the settings of the network."""
        return TrainSettings(
            backbone=self.backbone,
            weights=self.weights,
            weights_licence=self.weights_licence,
            accept_non_commercial=self.accept_non_commercial,
            network_options=self.network_options,
            size=self.size,
            mean=self.mean,
            std=self.std,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """What is in an index, and how it is searched."""

    objects: bool = False
    """One vector per box of the dataset, instead of per picture; whole pictures without boxes."""
    whiten: int = 0
    """Keep so many principal components, all of equal spread (PCA whitening); 0 for all as is."""
    half: bool = False
    """Keep vectors as float16: half the size, similarities right to three digits."""
    exact_up_to: int = 100_000
    """Up to so many vectors each query is compared with all; above, a graph is searched (HNSW)."""
    recall: float = 0.95
    """Share of the true ten nearest that the graph is tuned to find, measured when it is built."""

    def check(self) -> None:
        """Report every setting that cannot work.

        Raises:
            SettingsError: a number out of its range.
        """
        problems = []
        if self.whiten < 0:
            problems.append(f"whiten must be at least 0, not {self.whiten}")
        if self.exact_up_to < 0:
            problems.append(f"exact_up_to must be at least 0, not {self.exact_up_to}")
        if not 0 < self.recall <= 1:
            problems.append(f"recall must be above 0 and at most 1, not {self.recall}")
        if problems:
            raise SettingsError(problems)
