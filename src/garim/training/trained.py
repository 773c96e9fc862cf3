"""What came of a training, whatever was trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from garim.errors import Failure


class _Card(Protocol):
    @property
    def metrics(self) -> dict[str, float]: ...


class _Model(Protocol):
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def card(self) -> _Card: ...


M = TypeVar("M", bound=_Model)
S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel(Generic[M, S]):
    """A trained model and how it went."""

    model: M
    folder: Path | None
    settings: S
    seconds: float
    pictures: int
    """Pictures trained on."""
    task: str
    """What the model does, as ``--task`` has it."""
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    """What a user should know, such as classes that no mask shows."""

    def to_dict(self) -> dict[str, Any]:
        """Give the result as it stands in ``--json``."""
        return {
            "model": str(self.folder) if self.folder else None,
            "task": self.task,
            "classes": list(self.model.classes),
            "seconds": round(self.seconds, 2),
            "metrics": self.model.card.metrics,
            "pictures": self.pictures,
            "settings": asdict(self.settings),  # type: ignore[call-overload]
            "notes": list(self.notes),
            "failed": [failure.to_dict() for failure in self.failures],
        }
