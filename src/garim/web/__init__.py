"""The same functions in the browser: the review page."""

from garim.web.review import ReviewSettings, review

__all__ = ["ReviewSettings", "review"]
