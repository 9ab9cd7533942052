"""Bounds hold for networks made at random, of any steps, options and sizes of weights, and for any tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from compiler.backends.bounds import passes
from compiler.backends.elementary.program import NotFollowed, Program, Renewed
from compiler.backends.native.c_compiler import find_compiler
from compiler.backends.native.c_program import c_source
from compiler.backends.native.fast_engine import programs
from compiler.backends.native.native import NativeUnavailable, native
from compiler.backends.torch.decode import choose
from compiler.network.ir import Network
from compiler.source.diagnostics import SpecError
from compiler.source.user_cache import SETTING
from tests.fast.containment import any_tokens, compare, compare_streams, plain_logits
from tests.fast.networks import random_network
from tests.helpers import load_text

needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="no C compiler works here")
ROWS = 6
CHUNK = 50  # networks of one test


@pytest.fixture(autouse=True)
def _no_cache_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, str(tmp_path / "cache"))


def check_network(folder: Path, seed: int, found: Counter[str]) -> None:
    """One network of that seed against the plain module; what became of it is counted."""
    try:
        spec = load_text(folder, random_network(Random(f"network:{seed}")), name=f"random{seed}")
    except SpecError:
        found["refused"] += 1
        return
    try:
        anywhere = seed % 2 == 0
        compared = compare(spec, *any_tokens(spec, ROWS, seed, anywhere=anywhere), anywhere=anywhere)
    except NotFollowed:
        found["not followed"] += 1
        return
    compared.check(seed)
    for name, stream in compare_streams(spec, *any_tokens(spec, 2, seed)) if seed % 5 == 0 else ():
        stream.check((seed, name))
    found["followed"] += 1
    found["tokens"] += compared.said.size
    found["sure"] += int(compared.sure.sum())
    found["finite"] += bool(np.isfinite(compared.errors).all())


def check_networks(folder: Path, seeds: Iterable[int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for seed in seeds:
        check_network(folder, seed, found)
    return found


@pytest.mark.parametrize("chunk", [pytest.param(i, marks=[pytest.mark.long] * (i > 0)) for i in range(8)])
def test_bounds_of_random_networks(tmp_path: Path, chunk: int) -> None:
    found = check_networks(tmp_path, range(chunk * CHUNK, (chunk + 1) * CHUNK))
    assert found["refused"] < 0.1 * CHUNK
    assert found["followed"] > 0.4 * CHUNK
    assert found["sure"] > 0.5 * found["tokens"]
    assert found["finite"] > 0.7 * found["followed"]


def test_bounds_where_errors_are_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in networks where that would be too much work."""

    def unfollowed(program: Program, _: Network) -> Program:
        nodes = (
            replace(node, operation=Renewed(None)) if isinstance(node.operation, Renewed) else node
            for node in program.nodes
        )
        return replace(program, nodes=tuple(nodes))

    changed = [replace(one, run=unfollowed) if one.name == "cost" else one for one in passes.PASSES]
    monkeypatch.setattr(passes, "PASSES", changed)
    assert check_networks(tmp_path, range(CHUNK))["sure"] > 0


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(8, 208))
def test_bounds_of_many_random_networks(tmp_path: Path, chunk: int) -> None:
    found = check_networks(tmp_path, range(chunk * CHUNK, (chunk + 1) * CHUNK))
    assert found["followed"] > 0.4 * CHUNK


def check_compiled(folder: Path, seed: int) -> bool:
    """Whether the C of one network could be run; what it is sure of is what the plain module says."""
    try:
        spec = load_text(folder, random_network(Random(f"network:{seed}")), name=f"random{seed}")
        made = [(program, native(c_source(program))) for program in programs(spec)]
    except (SpecError, NotFollowed):
        return False
    prompts, answers = any_tokens(spec, 30, seed)
    plain = choose(plain_logits(spec.network, spec.layout, prompts, answers), spec.network.decode).numpy()
    sequences = np.concatenate((prompts, answers), axis=1)
    for program, library in made:
        assert not isinstance(library, NativeUnavailable), library.reason
        said = np.empty((len(prompts), len(program.slots)), dtype=np.int32)
        library.run(np.ascontiguousarray(sequences[:, : program.length]), said)
        right = plain[:, [spec.layout.predicted.index(slot) for slot in program.slots]]
        assert ((said == right) | (said < 0)).all(), seed
    return True


@needs_compiler
def test_c_of_random_networks(tmp_path: Path) -> None:
    assert sum(check_compiled(tmp_path, seed) for seed in range(8)) > 2


@pytest.mark.long
@needs_compiler
@pytest.mark.parametrize("chunk", range(40))
def test_c_of_many_random_networks(tmp_path: Path, chunk: int) -> None:
    assert sum(check_compiled(tmp_path, seed) for seed in range(25 * chunk, 25 * chunk + 25)) > 5
