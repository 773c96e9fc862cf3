"""A messy dataset drawn on the spot, with its truth, and the main job done on it."""

from garim.demo.run import Summary, run_demo

__all__ = ["Summary", "run_demo"]
