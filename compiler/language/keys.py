"""The words that keys of a spec are made of, one table each: sections, kinds of steps, their maps, lists of names.

`weightspec.schema.json` says what may stand under each key; a test holds that both agree.
"""

from __future__ import annotations

SECTIONS = ("constants", "parameters", "derived", "vocabulary", "task", "stream", "defaults", "network")
"""The sections that hold names and expressions; `context` is a single expression."""
SECTION_OF = {"constant": "constants", "parameter": "parameters", "derived": "derived"}
"""Where a definition of a kind stands; a size stands in `task`."""
STEP_KINDS = ("embedding", "position", "norm", "scale", "attention", "ffn", "repeat", "mix", "head")
"""The kinds of steps, with which the keys of `network` begin."""
PLACED = ("norm", "attention", "ffn", "repeat", "mix")
"""Kinds of steps that can say `after`, where they are a mapping."""
MAPS_OF = {"attention": ("query", "key", "value", "output"), "ffn": ("gate", "up", "down"), "head": ("logits",)}
"""The maps of each kind of step that is written by its maps, in the order of computation."""
MAPS = tuple(name for maps in MAPS_OF.values() for name in maps)
BY_DIMENSION = ("embedding", "position", "scale")
"""Kinds of steps whose keys are tokens or dimensions."""
AXES = ("stream", "hidden", "heads", "kv_heads")
"""Options that declare names, as a list."""
NAME_LISTS = (*AXES, "biases")
"""Options that are lists of names."""
