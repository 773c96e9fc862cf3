"""How pictures are collected: what the user may set."""

from __future__ import annotations

from dataclasses import dataclass

from garim.errors import SettingsError

SUFFIX_OF = {
    "JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp",
    "TIFF": ".tif", "AVIF": ".avif", "JPEG2000": ".jp2", "PPM": ".ppm", "ICO": ".ico",
}  # fmt: skip
"""Suffix that a picture gets, by the kind that its content has."""

_SAME = {"jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "tiff": "tif", "jpeg2000": "jp2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectSettings:
    """Settings of a collection."""

    types: tuple[str, ...] = ()
    """Kinds of pictures that are taken, such as jpg,png, by their content; all by default."""
    workers: int = 8
    """Downloads at once."""
    per_host: int = 2
    """Downloads at once from one host."""
    delay: float = 0.2
    """Seconds between the starts of two requests to one host."""
    timeout: float = 20.0
    """Seconds without an answer after which a request is given up."""
    deadline: float = 120.0
    """Seconds that one request may take in all."""
    retries: int = 3
    """How often a busy or failing server is asked again, each time after a longer pause."""
    longest_wait: float = 60.0
    """Most seconds that are waited when a server asks to come back later."""
    redirects: int = 5
    """Redirects that are followed."""
    max_megabytes: float = 30.0
    """Largest file that is taken, in millions of bytes."""
    max_megapixels: float = 100.0
    """Largest picture that is taken, in millions of pixels."""
    allow_private: bool = False
    """Also ask addresses of this machine and of private networks."""
    user_agent: str | None = None
    """What servers are told who asks. Default: garim and its version."""

    def check(self) -> None:
        """Raise a SettingsError with everything that cannot work."""
        problems = [
            f"{name} must be at least {least}, not {getattr(self, name)}"
            for name, least in (("workers", 1), ("per_host", 1), ("delay", 0), ("retries", 0),
                                ("redirects", 0), ("longest_wait", 0))
            if not getattr(self, name) >= least
        ]  # fmt: skip
        problems += [
            f"{name} must be above 0, not {getattr(self, name)}"
            for name in ("timeout", "deadline", "max_megabytes", "max_megapixels")
            if not getattr(self, name) > 0
        ]
        known = {suffix.removeprefix(".") for suffix in SUFFIX_OF.values()}
        unknown = sorted(self.kinds - known)
        if unknown:
            listed = ", ".join(sorted(known))
            problems.append(f"there is no kind of picture {', '.join(unknown)}; known: {listed}")
        if self.user_agent is not None and not self.user_agent.isprintable():
            problems.append("user_agent must be one line of text")
        if problems:
            raise SettingsError(problems)

    @property
    def kinds(self) -> frozenset[str]:
        """The types, one spelling for each: jpg, png, tif …"""
        words = [word for one in self.types for word in one.lower().split(",")]
        plain = [word.strip().removeprefix(".") for word in words]
        return frozenset(_SAME.get(word, word) for word in plain if word)
