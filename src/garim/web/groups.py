"""Which of several copies stays: a reviewer's choice, as decisions about the lines of a plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from garim.errors import PlanError
from garim.plan import Edit, Subject
from garim.plan.decisions import FOLLOWING

Change = tuple[int, dict[str, Any]]
"""Number of an edit, and what is set."""


class Groups:
    """The lines of a plan that are about copies of one picture.

    Of a group one picture stays: each other has a line that drops it and names the one that stays
    (`Edit.kept`). The choice of a line exchanges its two pictures; then the other lines of the
    group name the new one, and what was proposed for the one that stayed is done to it. So each
    picture but one keeps the line that drops it, however often one chooses.
    """

    def __init__(self, edits: Sequence[Edit]) -> None:
        self._edits = edits
        self._lines: dict[tuple[str | None, str], list[int]] = {}
        for number, edit in enumerate(edits):
            stays = _stays(edit)
            if stays is not None:
                self._lines.setdefault((edit.label, stays.picture), []).append(number)

    def chosen(self, number: int, keep: str, now: Callable[[int], Edit]) -> list[Change]:
        """Let a copy stay.

        Args:
            number: of the line that drops one of two copies.
            keep: file name of the one that is to stay.
            now: gives a line as it stands.

        Raises:
            PlanError: it is neither of the two.
        """
        edit = now(number)
        if edit.kept is None or keep not in {edit.picture, edit.kept.picture}:
            raise PlanError(f"{keep}: is neither of the two copies that stand here now")
        if keep == edit.kept.picture:
            return [(number, {"to": None})]
        dropped = None if edit.kept == self._edits[number].subject else edit.kept.to_dict()
        own = {"drop": dropped, "keep": self._keep(number, edit.subject), "to": None}
        others = [(n, {"keep": self._keep(n, edit.subject)}) for n in self._others(number)]
        return [(number, own), *others]

    def as_proposed(self, number: int, now: Callable[[int], Edit]) -> list[Change]:
        """Take the choices in a line's group back; the lines that they changed are undecided."""
        mine = _AS_PROPOSED if self._edits[number].edit == "drop" else {}
        changes: list[Change] = [(number, dict(mine))]
        for other in self._others(number):
            edit, before = now(other), self._edits[other]
            if before.edit == "drop" and edit.picture != before.picture:
                changes.append((other, {**_AS_PROPOSED, "to": None, "state": "proposed"}))
            elif (edit.subject, edit.kept) != (before.subject, before.kept):
                changes.append((other, {"keep": None}))
        return changes

    def _others(self, number: int) -> list[int]:
        edit = self._edits[number]
        stays = _stays(edit) if edit.edit == "drop" else None
        together = self._lines[edit.label, stays.picture] if stays else []
        return [n for n in together if n != number]

    def _keep(self, number: int, stays: Subject) -> dict[str, Any] | None:
        return None if stays == _stays(self._edits[number]) else stays.to_dict()


_AS_PROPOSED: dict[str, Any] = {"drop": None, "keep": None}


def _stays(edit: Edit) -> Subject | None:
    """Give the picture that stays, of a line that is about copies or may come to be."""
    if edit.edit == "drop":
        return edit.kept
    return edit.subject if edit.edit in FOLLOWING else None
