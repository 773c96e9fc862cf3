"""Pictures from a list of addresses, or from a folder of downloads, to a dataset."""

from garim.collection.collect import Collected, collect
from garim.collection.settings import CollectSettings

__all__ = ["CollectSettings", "Collected", "collect"]
