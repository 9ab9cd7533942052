"""Every spec of `tests/data/specs` as a model written by hand, with literal numbers and without the compiler."""

from __future__ import annotations

from tests.parity.by_hand import ffn, heads, maps, numbers, scores, steps, stream
from tests.parity.by_hand.plain import MODELS, Plain

__all__ = ["MODELS", "Plain", "ffn", "heads", "maps", "numbers", "scores", "steps", "stream"]
