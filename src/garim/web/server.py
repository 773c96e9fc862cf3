"""The routes of the review page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp

from garim.errors import GarimError
from garim.plan import ApplySettings, State
from garim.web.security import REPORT_POLICY, Door, Guard
from garim.web.session import Session, columns, details
from garim.web.thumbnails import Thumbnails

STATIC = Path(__file__).parent / "static"
AT_ONCE = 200
"""Most edits whose details are asked for at once."""

SIDES = {"card": 360, "large": 1600}
"""Longest side of the pictures that are served, in pixels."""


class Change(BaseModel):
    """What a decision sets; null is as it was proposed, and what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    state: State | None = None
    box: tuple[float, float, float, float] | None = None
    to: str | None = Field(default=None, max_length=200)
    keep: str | None = Field(default=None, max_length=4096)
    """File name of the copy that is to stay."""

    def given(self) -> dict[str, Any]:
        """Give what was set, as a decision has it."""
        values = self.model_dump(exclude_unset=True, mode="json")
        return {n: v for n, v in values.items() if n != "state" or v is not None}


class Decision(BaseModel):
    """A decision of the page about some edits."""

    numbers: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    set: Change


class ApplyForm(BaseModel):
    """What the page asks before it applies."""

    name: str = Field(max_length=200)
    as_boxes: bool = False
    only_accepted: bool = False


def application(session: Session, door: Door) -> ASGIApp:
    """Build the page of one review, behind its door."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_exception_handler(GarimError, _garim_error)
    app.add_exception_handler(OSError, _garim_error)
    _add_page(app, session)
    _add_reading(app, session)
    _add_pictures(app, session)
    _add_deciding(app, session)
    return Guard(app, door)


def _garim_error(request: Request, error: Exception) -> Response:
    text = str(error) if isinstance(error, GarimError) else "the file cannot be read"
    return JSONResponse({"error": text}, 404 if request.method == "GET" else 409)


def _add_page(app: FastAPI, session: Session) -> None:
    def page() -> Response:
        return FileResponse(STATIC / "index.html")

    def module() -> Response:
        return FileResponse(STATIC / "review.js", media_type="text/javascript")

    def style() -> Response:
        return FileResponse(STATIC / "review.css")

    def icon() -> Response:
        return FileResponse(STATIC / "icon.svg")

    def report() -> Response:
        if session.report is None:
            return JSONResponse({"error": "there is no report beside the plan"}, 404)
        return FileResponse(session.report, headers={"Content-Security-Policy": REPORT_POLICY})

    for path, route in {"/": page, "/review.js": module, "/review.css": style, "/icon.svg": icon,
                        "/report": report}.items():  # fmt: skip
        app.get(path)(route)


def _add_reading(app: FastAPI, session: Session) -> None:
    table = json.dumps(columns(session), ensure_ascii=False, separators=(",", ":"))

    @app.get("/api/columns")
    def all_columns() -> Response:
        return Response(table, media_type="application/json")

    @app.get("/api/review")
    def review() -> dict[str, Any]:
        return {
            "plan": session.path.name,
            "folder": str(session.path.parent),
            "dataset": session.plan.dataset.name,
            "edits": len(session),
            "method": session.plan.method,
            "read_only": session.read_only,
            "report": session.report is not None,
            "revision": session.revision,
            "states": session.states(),
        }

    @app.get("/api/changes")
    def changes(since: Annotated[int, Query(ge=0)]) -> dict[str, Any]:
        return session.changes(since).to_dict()

    @app.get("/api/edits")
    def edits(numbers: Annotated[str, Query(pattern=r"^\d+(,\d+)*$", max_length=4000)]) -> Response:
        wanted = [n for n in map(int, numbers.split(",")[:AT_ONCE]) if n < len(session)]
        return JSONResponse([details(session, n) for n in wanted])

    @app.get("/api/classes")
    def classes() -> list[str]:
        return list(session.dataset.classes)

    @app.get("/api/target")
    def target() -> dict[str, str]:
        return {"name": session.free_name(), "folder": str(session.path.parent)}


def _add_pictures(app: FastAPI, session: Session) -> None:
    thumbnails = Thumbnails()

    @app.get("/pictures/{number}/{what}")
    def picture(
        number: int,
        what: Literal["before", "after", "kept"],
        side: Literal["card", "large"] = "card",
    ) -> Response:
        if not 0 <= number < len(session):
            return JSONResponse({"error": "the plan has no such edit"}, 404)
        path = session.file_of(number, kept=what == "kept")
        box = session.edit(number).box if what == "after" else None
        headers = {"Cache-Control": "private, max-age=600"}
        data = thumbnails.get(path, SIDES[side], box)
        return Response(data, media_type="image/jpeg", headers=headers)


def _add_deciding(app: FastAPI, session: Session) -> None:
    def outside(numbers: list[int]) -> bool:
        return max(numbers) >= len(session)

    @app.post("/api/decide")
    def decide(decision: Decision) -> Response:
        if outside(decision.numbers):
            return JSONResponse({"error": "the plan has no such edit"}, 404)
        session.decide(decision.numbers, decision.set.given())
        return JSONResponse({"revision": session.revision})

    @app.post("/api/undo")
    def undo() -> dict[str, Any]:
        return {"undone": session.undo(), "revision": session.revision}

    @app.post("/api/apply")
    def apply(form: ApplyForm) -> dict[str, Any]:
        settings = ApplySettings(as_boxes=form.as_boxes, only_accepted=form.only_accepted)
        return session.apply(form.name, settings).to_dict()
