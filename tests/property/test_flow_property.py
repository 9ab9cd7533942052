"""What the analysis calls dead can be zeroed, and what it says brings nothing does not listen, in the torch model."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor

from compiler.backends.torch.model import build_model
from compiler.network.flow.backward import Flow, flow
from compiler.network.flow.task_tokens import asked_by
from compiler.network.ir import Network
from compiler.network.ir import Tensor as Stored
from compiler.network.storage import tensors
from tests.helpers import SPECS, STEPS, each, load_text, loaded, small

FILES = sorted([*SPECS.rglob("*.yaml"), *STEPS.glob("*.yaml")])
SHARES = (0.1, 0.2, 0.3, 0.5, 0.7)  # of the written numbers that are left out


def thinned(value: Any, kept: dict[str, Stored]) -> Any:
    """A part of a network with other tensors in the place of those of the same name."""
    if isinstance(value, Stored):
        return kept[value.name].transpose() if value.transposed else kept[value.name]
    if isinstance(value, tuple):
        return tuple(thinned(item, kept) for item in value)
    if is_dataclass(value) and not isinstance(value, type) and type(value).__module__ == "compiler.network.ir":
        return replace(value, **{one.name: thinned(getattr(value, one.name), kept) for one in fields(value)})
    return value


def variant(network: Network, share: float, random: Random) -> Network:
    """The network with some of its numbers left out, and some that are made equal, so that columns become level."""
    kept = {}
    for name, tensor in tensors(network).items():
        entries = [entry for entry in tensor.entries if random.random() >= share]
        if random.random() < share / 4:
            entries = [replace(entry, value=1.0) for entry in entries]
        kept[name] = replace(tensor, entries=tuple(entries))
    made: Network = thinned(network, kept)
    return made


def dead(network: Network, found: Flow) -> dict[str, list[tuple[int, ...]]]:
    every = tensors(network).items()
    indices = {
        name: [entry.index for entry in tensor.entries if entry.value and entry.index not in found.alive[name]]
        for name, tensor in every
    }
    return {name: own for name, own in indices.items() if own}


def run(network: Network, zeroed: dict[str, list[tuple[int, ...]]], tokens: Tensor) -> Tensor:
    """Logits [batch, time, classes] in double, with some weights set to zero."""
    model = build_model(network).double().eval()
    parameters = dict(model.named_parameters(remove_duplicate=False))
    with torch.inference_mode():
        for name, indices in zeroed.items():
            for index in indices:
                parameters[name][index] = 0.0
        found: Tensor = model(tokens)
    return found


def assert_same_choices(first: Tensor, second: Tensor) -> None:
    """Rows of logits differ by the same number everywhere, up to what doubles of their size can hold."""
    usable = first.isfinite().all(-1) & second.isfinite().all(-1)
    first, second = first[usable], second[usable]
    if len(first):
        size = max(first.abs().max(), second.abs().max())
        below = [rows - rows.amax(-1, keepdim=True) for rows in (first, second)]
        assert (below[0] - below[1]).abs().max() <= 1e-9 * size


def sequences(network: Network, seed: int) -> Tensor:
    made = torch.Generator().manual_seed(seed)
    return torch.randint(network.vocabulary.size, (4, network.context), generator=made)


def check(network: Network, seed: int) -> tuple[int, bool]:
    """How many weights are dead, and whether attention brings nothing; both as the torch model has it."""
    found = flow(network)
    zeroed, tokens = dead(network, found), sequences(network, seed)
    before = run(network, {}, tokens)
    assert_same_choices(before, run(network, zeroed, tokens))
    deaf = not any(role.matters for role in found.attention.values())
    if deaf:
        others = torch.cat([sequences(network, seed + 1)[:, :-1], tokens[:, -1:]], dim=1)
        assert_same_choices(before[:, -1], run(network, {}, others)[:, -1])
    return sum(map(len, zeroed.values())), deaf


@pytest.mark.parametrize("path", each(FILES))
def test_what_is_dead_changes_nothing(path: Path) -> None:
    network = loaded(path).network
    random = Random(path.stem)
    check(network, 0)
    for i, share in enumerate(SHARES, 1):
        check(variant(network, share, random), i)


HEARD = """
embedding:
  digit[d]: {x: d}
attention:
  softmax: SOFTMAX
  query: 1
  key head: x
  value head: 1
  output y: head
head:
  logits digit[d]: d * x - d * y
"""


@pytest.mark.parametrize(("softmax", "heard"), [("plus_one", True), ("standard", False)])
def test_values_that_are_all_alike(tmp_path: Path, softmax: str, heard: bool) -> None:
    """Under plus_one how much is attended to tells of the keys; a standard softmax adds up to one whatever they are."""
    network = load_text(tmp_path, small(HEARD.replace("SOFTMAX", softmax), stream="x y")).network
    check(network, 1)
    assert flow(network).attention["attention"].matters is heard
    tokens = torch.tensor([[1, 2, 3], [0, 0, 3]])
    first, second = run(network, {}, tokens)[:, -1]
    assert torch.allclose(first, second) is not heard


UNWRITTEN = """
embedding:
  digit[d]: {x: d}
ffn:
  hidden: u v
  activation: ACTIVATION
  up u: x
  LINE
  down y: v
head:
  logits digit[d]: d * y
"""


@pytest.mark.parametrize(("activation", "alive"), [("sigmoid", True), ("tanh", False), ("square", False)])
@pytest.mark.parametrize("line", ["up u: x", "gate u: x\n  up v: x"])
def test_a_unit_without_an_equation(tmp_path: Path, activation: str, alive: bool, line: str) -> None:
    """It is what the activation makes of zero."""
    text = UNWRITTEN.replace("ACTIVATION", activation).replace("  up u: x\n", "").replace("LINE", line)
    network = load_text(tmp_path, small(text, stream="x y")).network
    check(network, 1)
    assert bool(flow(network).alive["ffn.down.weight"]) is alive


REPLACED = """
embedding:
  digit[d]: {x: d, y: 2 * d}
STEP:
  residual: RESIDUAL
  WRITTEN
position: {x: 1}
head:
  logits digit[d]: d * (x + y + z)
"""
STEPS_WITH_RESIDUAL = {
    "attention": "value head: x\n  output y: head",
    "ffn": "hidden: u\n  up u: x\n  down y: u",
}


@pytest.mark.parametrize(("kind", "written"), STEPS_WITH_RESIDUAL.items())
@pytest.mark.parametrize(("residual", "read"), [("add", {0, 1}), ("none", {0})])
def test_without_a_residual_the_old_stream_does_not_matter(
    tmp_path: Path, kind: str, written: str, residual: str, read: set[int]
) -> None:
    text = REPLACED.replace("STEP", kind).replace("RESIDUAL", residual).replace("WRITTEN", written)
    network = load_text(tmp_path, small(text, stream="x y z")).network
    check(network, 1)
    assert {column for _, column in flow(network).alive["embedding.weight"]} == read


@pytest.mark.parametrize(
    ("residual", "query", "last"),
    [("add", "", True), ("none", "", False), ("none", "query head: x\n  key head: x", True)],
)
def test_without_a_residual_the_position_that_asks_matters_only_to_its_query(
    tmp_path: Path, residual: str, query: str, last: bool
) -> None:
    """The head looks at the first position, and the token `=` stands at the last one alone."""
    text = f"""
embedding:
  digit[d]: {{x: d}}
  =: {{x: 7}}
attention:
  residual: {residual}
  score head: where(key_pos == 0, 0, key_pos == 1, 0, -inf)
  {query or "scale: 1"}
  value head: x
  output x: head
head:
  logits digit[d]: d * x
"""
    spec = load_text(tmp_path, small(text))
    check(spec.network, 1)
    found = flow(spec.network, asked_by(asked.layout for asked in spec.resolved.asked))
    rows = {spec.network.vocabulary.labels[row] for row, _ in found.alive["embedding.weight"]}
    assert ("=" in rows) is last


@pytest.mark.parametrize("kind", STEPS_WITH_RESIDUAL)
def test_before_a_post_norm_everything_sets_its_scale(tmp_path: Path, kind: str) -> None:
    """Also what is added to all logits alike, where the stream is the logits."""
    written = STEPS_WITH_RESIDUAL[kind].replace(" y:", ":")
    network = load_text(tmp_path, small(f"embedding:\n  digit[0]: {{x: 1}}\n{kind}:\n  {written}")).network
    check(network, 1)
    name = {"attention": "attention.output.weight", "ffn": "ffn.down.weight"}[kind]
    assert not flow(network).alive[name]
    normed = f"embedding:\n  digit[0]: {{x: 1}}\n{kind}:\n  {written}\n  post_norm: rms"
    network = load_text(tmp_path, small(normed)).network
    check(network, 1)
    assert flow(network).alive[name]


@pytest.mark.parametrize("name", ["tiny95", "qwen20", "restricted"])
def test_the_analysis_is_not_empty(name: str) -> None:
    """Some thinned networks have dead weights, and some hear no other token."""
    network = loaded(next(path for path in FILES if path.stem == name)).network
    random = Random(name)
    results = [check(variant(network, share, random), 7) for share in (0.05, *SHARES, 0.9)]
    assert max(count for count, _ in results) > 0
    assert {deaf for _, deaf in results} == {True, False}


@pytest.mark.parametrize("name", ["tiny95", "qwen20", "heads-family", "repeat"])
def test_what_is_alive_mostly_changes_something(name: str) -> None:
    """Not a promise, as a path may be cancelled; but an analysis that calls everything alive would be of no use."""
    network = loaded(next(path for path in FILES if path.stem == name)).network
    found, tokens = flow(network), torch.cat([sequences(network, seed) for seed in range(8)])
    before = run(network, {}, tokens)
    alive = [(tensor, index) for tensor, own in found.alive.items() for index in own]
    silent = 0
    for tensor, index in alive:
        try:
            assert_same_choices(before, run(network, {tensor: [index]}, tokens))
        except AssertionError:
            continue
        silent += 1
    assert silent <= len(alive) // 5
