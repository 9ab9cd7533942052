"""A long sequence is run in pieces, and read on with keys and values at hand: its logits are those of one pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

import compiler
from benchmarks import large_spec
from benchmarks.large_spec import Shape
from compiler.backends.torch.decode import choose, decode_greedily, margins, said_after
from compiler.backends.torch.model import Model, build_model
from compiler.backends.torch.past import Past
from compiler.evaluation import generation
from compiler.network.causality import is_causal
from compiler.network.ir import Attention
from compiler.network.pieces import Pieces, pieces_of
from compiler.pipeline import Spec, load
from compiler.source.diagnostics import SpecError
from compiler.source.limits import MAX_PIECE
from tests.fast.networks import random_network
from tests.helpers import SPECS, STEPS, load_text, loaded, small

EVERY_SPEC = sorted(STEPS.glob("*.yaml"))
UNITS = 64  # of roundoff, times the largest logit: pieces may add up in another order
LONG = Shape(context=400, layers=2)  # 18 heads of 400 × 400 scores are more than one piece
SEQUENCE = 190  # tokens of it: more than a piece has


@pytest.fixture(scope="module")
def long_spec(tmp_path_factory: pytest.TempPathFactory) -> Spec:
    return load_text(tmp_path_factory.mktemp("large"), large_spec.large_spec(LONG))


def tokens_of(spec: Spec, batch: int = 2, length: int | None = None) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(spec.network.vocabulary.size, (batch, length or spec.network.context), generator=generator)


def in_pieces(spec: Spec, queries: int, *, one_by_one: bool) -> Model:
    model = build_model(spec.network).eval()
    model.pieces = Pieces(queries, one_by_one)
    return model


def assert_near(spec: Spec, found: Tensor, expected: Tensor) -> None:
    """NaN where the other has one; a sum of other parts may be another by rounding."""
    noise = UNITS * spec.network.dtype.unit_roundoff * expected.nan_to_num(0, 0, 0).abs().max()
    torch.testing.assert_close(found, expected, rtol=0, atol=float(noise), equal_nan=True)


@pytest.mark.parametrize("queries", [1, 3])
@pytest.mark.parametrize("path", EVERY_SPEC, ids=lambda path: path.stem)
def test_pieces_have_the_logits_of_the_whole(path: Path, queries: int) -> None:
    spec = loaded(path)
    tokens = tokens_of(spec)
    with torch.inference_mode():
        whole = build_model(spec.network)(tokens)
        assert_near(spec, in_pieces(spec, queries, one_by_one=False)(tokens), whole)
        if is_causal(spec.network):
            assert_near(spec, in_pieces(spec, queries, one_by_one=True)(tokens), whole)


def test_a_sequence_of_no_token_has_no_logits(long_spec: Spec) -> None:
    none = torch.zeros(1, 0, dtype=torch.long)
    assert build_model(long_spec.network)(none).shape == (1, 0, large_spec.TOKENS)
    assert in_pieces(long_spec, 3, one_by_one=False)(none).shape == (1, 0, large_spec.TOKENS)


def test_pieces_have_the_gradients_of_the_whole() -> None:
    spec = load(STEPS / "kv-groups.yaml")
    tokens = tokens_of(spec)
    gradients = []
    for model in (build_model(spec.network), in_pieces(spec, 2, one_by_one=True), in_pieces(spec, 2, one_by_one=False)):
        model(tokens).square().sum().backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in model.parameters()]))  # type: ignore[union-attr]
    assert gradients[0].abs().max() > 0
    for other in gradients[1:]:
        assert_near(spec, other, gradients[0])


@pytest.mark.parametrize(
    ("heads", "context", "mask", "runs", "pieces"),
    [
        (1, 1024, "causal", 1, None),  # as many scores as one piece has
        (1, 1025, "causal", 1, Pieces(MAX_PIECE // 1025, one_by_one=True)),
        (18, 4096, "causal", 1, Pieces(14, one_by_one=True)),
        (18, 4096, "none", 1, Pieces(14, one_by_one=False)),  # later tokens matter
        (900, 16384, "causal", 2, Pieces(1, one_by_one=True)),
        (900, 16384, "causal", 3, Pieces(1, one_by_one=False)),  # keys and values would be 88 million numbers
    ],
)
def test_which_pieces_a_network_has(
    tmp_path: Path, heads: int, context: int, mask: str, runs: int, pieces: Pieces | None
) -> None:
    steps = f"embedding:\n  digit[d]: {{x: d}}\nattention:\n  heads: h[{heads}]\n  mask: {mask}\n  output x: h[0]\n"
    steps += f"repeat again:\n  steps: attention\n  times: {runs - 1}\n" if runs > 1 else ""
    spec = load_text(tmp_path, small(steps, definitions=f"context: {context}"))
    assert pieces_of(spec.network) == pieces


def whole_choices(spec: Spec, model: nn.Module, sequence: Tensor, first: int) -> Tensor:
    """What one pass over a sequence says after each token from number `first` - 1 on."""
    with torch.inference_mode():
        return choose(model(sequence)[:, first - 1 :], spec.network.decode)


def random_causal(folder: Path) -> Iterator[Spec]:
    random = Random(8)
    found = 0
    while found < 10:
        try:
            spec = load_text(folder, random_network(random))
        except SpecError:
            continue
        attends = any(isinstance(step, Attention) for step in spec.network.steps)
        if attends and is_causal(spec.network) and spec.network.context >= 5:
            found += 1
            yield spec


def read_on(spec: Spec, model: Model, prompt: Tensor, steps: int) -> Tensor:
    """The prompt with what follows."""
    with torch.inference_mode():
        some = said_after(model, prompt, steps, lambda _, logits: choose(logits, spec.network.decode))
        said = [token.clamp(min=0) for part in some for token, _ in part]
    return torch.cat((prompt, torch.stack(said, dim=1)), dim=1)


def test_what_is_read_on_is_what_one_pass_says(tmp_path: Path) -> None:
    varied = 0
    for queries, spec in zip([1, 2, 3, 4, 5] * 2, random_causal(tmp_path), strict=False):
        model = in_pieces(spec, queries, one_by_one=True)
        prompt = tokens_of(spec, batch=3, length=2) % spec.network.classes.size
        sequence = read_on(spec, model, prompt, spec.network.context - 1)
        said = whole_choices(spec, model, sequence[:, :-1], 2).clamp(min=0)
        assert torch.equal(sequence[:, 2:], said)
        varied += len(set(said.flatten().tolist())) > 1
    assert varied > 2


def test_a_wrong_guess_is_contradicted(long_spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_model(long_spec.network).eval()
    assert model.pieces is not None
    assert model.pieces.one_by_one
    prompt = tokens_of(long_spec, batch=1, length=SEQUENCE)
    expected = read_on(long_spec, model, prompt, 12)
    exact = Model.read_on
    guesses = 0

    def nearly(self: Model, tokens: Tensor, past: Past, start: int) -> Tensor:
        nonlocal guesses
        logits = exact(self, tokens, past, start)
        if tokens.shape[1] > 1:
            return logits
        guesses += 1
        return logits.roll(guesses % 3, dims=-1)  # so some are right

    monkeypatch.setattr(Model, "read_on", nearly)
    assert torch.equal(read_on(long_spec, model, prompt, 12), expected)
    assert guesses > 12
    assert len(set(expected[0, SEQUENCE:].tolist())) > 3
    assert torch.equal(expected[:, SEQUENCE:], whole_choices(long_spec, model, expected[:, :-1], SEQUENCE))


@pytest.mark.parametrize("name", ["tiny95", "qwen20"])
def test_answers_are_those_of_single_passes(name: str) -> None:
    spec = load(SPECS / f"{name}.yaml", {"digits": 3})
    task = spec.resolved.task
    questions = [(1, 22), (999, 1), (456, 678)]
    prompts = torch.tensor([spec.layout.prompt_tokens(task.solve(question)) for question in questions])
    with torch.inference_mode():
        said, logits = decode_greedily(build_model(spec.network), prompts, spec.layout, spec.network.decode)
        read, others = decode_greedily(in_pieces(spec, 4, one_by_one=True), prompts, spec.layout, spec.network.decode)
    assert torch.equal(said, read)
    assert_near(spec, others, logits)
    assert len(set(said.flatten().tolist())) > 3


def test_generated_tokens_are_those_of_one_pass(long_spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    start = tokens_of(long_spec, batch=1, length=SEQUENCE)[0].tolist()
    model = build_model(long_spec.network).eval()
    said = list(compiler.generate(long_spec, start, steps=8))
    tokens = [step.token for step in said]
    assert [step.ending for step in said] == [None] * 7 + ["steps"]
    sequence = torch.tensor([start + tokens[:-1]])
    assert whole_choices(long_spec, model, sequence, SEQUENCE)[0].tolist() == tokens
    with torch.inference_mode():
        whole = model(sequence, in_one_piece=True)[0, SEQUENCE - 1 :]
    assert_near(long_spec, torch.tensor([step.logits for step in said]), whole)
    assert margins(whole, "argmax").min() > 1e-3  # so that another machine says the same

    drawn = [step.token for step in compiler.generate(long_spec, start, steps=8, seed=4)]
    assert drawn != tokens
    until = f"token[{tokens[3]}]"
    stopped = [step.token for step in compiler.generate(long_spec, start, until=until)]
    assert stopped == tokens[: tokens.index(tokens[3]) + 1]
    monkeypatch.setattr(generation, "reads_on", lambda _: False)
    assert [step.token for step in compiler.generate(long_spec, start, steps=8)] == tokens
    assert [step.token for step in compiler.generate(long_spec, start, steps=8, seed=4)] == drawn


def test_a_full_context_ends_it(long_spec: Spec) -> None:
    start = tokens_of(long_spec, batch=1, length=LONG.context - 2)[0].tolist()
    assert [step.ending for step in compiler.generate(long_spec, start)] == [None, None, "context"]


def test_no_number_for_every_pair_is_kept(long_spec: Spec) -> None:
    model = build_model(long_spec.network)
    assert sum(buffer.numel() for buffer in model.buffers()) < 50 * LONG.context
    sizes: list[int] = []
    for module in model.modules():
        module.register_forward_hook(lambda _module, _inputs, output: sizes.append(output.numel()))
    with torch.inference_mode():
        model(tokens_of(long_spec, batch=1))
    assert MAX_PIECE // 2 < max(sizes) <= MAX_PIECE


def test_a_trace_has_whole_patterns_or_says_why_not(long_spec: Spec, tmp_path: Path) -> None:
    patterns = {value.name: value.value for value in compiler.trace(long_spec, tokens_of(long_spec, 1, SEQUENCE))}
    assert patterns["layer1.attention.pattern"].shape == (1, LONG.heads, SEQUENCE, SEQUENCE)
    spec = load_text(tmp_path, large_spec.large_spec(Shape(context=1000, layers=1)))
    with pytest.raises(SpecError, match="would have 18,000,000 numbers for 1,000 tokens") as caught:
        compiler.trace(spec, [0] * 1000)
    assert caught.value.diagnostics[0].code == "too-large"


@pytest.mark.long
def test_a_long_model_is_exported_in_one_piece(long_spec: Spec) -> None:
    model = build_model(long_spec.network).eval()
    automatic = torch.export.Dim.AUTO
    tokens = tokens_of(long_spec, length=50)
    program = torch.export.export(model, (tokens,), dynamic_shapes=({0: automatic, 1: automatic},))
    other = tokens_of(long_spec, batch=1, length=SEQUENCE)
    with torch.inference_mode():
        assert_near(long_spec, program.module()(other), model(other))


def test_the_generator_writes_a_spec_that_runs(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    result = CliRunner().invoke(large_spec.main, [str(path), "--context", "64", "--layers", "2"])
    assert result.exit_code == 0, result.output
    said = list(compiler.generate(load(path), result.output.strip(), steps=30))
    assert len({step.token for step in said}) > 3
