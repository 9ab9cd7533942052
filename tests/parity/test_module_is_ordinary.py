"""A built module is a torch module like any other: it is moved, copied, saved, compiled and exported."""

from __future__ import annotations

import copy
import io
import logging
import pickle
import shutil
from functools import cache
from pathlib import Path
from zlib import crc32

import pytest
import torch
from torch import Tensor, nn

import compiler
from compiler.pipeline import Spec, load
from tests.helpers import STEPS, load_text, same_bits
from tests.parity.test_steps import ROUNDOFF

EVERY = sorted(path.stem for path in STEPS.iterdir())
VARIED = ["biases", "defaults", "ffn-narrow", "ffn-widen", "heads-family", "kv-shared", "low-rank", "mask-number"]
VARIED += ["mix", "position-equations", "position-table", "qk-norm-own", "repeat", "rope-halves", "score-routing"]
VARIED += ["softmax-plus-one", "ties-parameters", "ties-transposed", "time-positions", "time-scores", "repeat-times"]
# every kind of step, and whatever branches in `forward`
FEW = ("mix", "time-positions")  # compiling and exporting take a second or two each
UNITS = 64  # of roundoff, times the largest logit: compilers may add up in another order


@cache
def loaded(name: str) -> Spec:
    return load(STEPS / f"{name}.yaml", {"dtype": "float64"}, strict=True)


def built(name: str) -> tuple[nn.Module, Tensor]:
    """A model, and tokens over its whole context."""
    spec = loaded(name)
    generator = torch.Generator().manual_seed(crc32(name.encode()))
    tokens = torch.randint(spec.network.vocabulary.size, (3, spec.network.context), generator=generator)
    return compiler.build(spec), tokens


def assert_near(found: Tensor, expected: Tensor, dtype: str = "float64") -> None:
    assert found.shape == expected.shape
    worst = (found.double() - expected.double()).abs().max().item()
    assert worst <= UNITS * ROUNDOFF[dtype] * max(1.0, expected.abs().max().item())


@pytest.mark.parametrize("name", EVERY)
def test_a_copy_of_the_state_dict_makes_the_same_model(name: str) -> None:
    """Pickled, saved by torch, and loaded into a module whose own weights are spoilt; the module itself copies too."""
    model, tokens = built(name)
    fresh, _ = built(name)
    with torch.no_grad():
        expected = model(tokens)
        for parameter in fresh.parameters():
            parameter.fill_(0.5)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    for state in (pickle.loads(pickle.dumps(model.state_dict())), torch.load(file, weights_only=True)):
        fresh.load_state_dict(state, strict=True)
        copied = copy.deepcopy(fresh)
        for other in (fresh, copied, pickle.loads(pickle.dumps(model))):
            assert list(other.state_dict()) == list(model.state_dict())
            assert shared(other) == shared(model)
            with torch.inference_mode():
                assert same_bits(other(tokens), expected)
        with torch.no_grad():
            for parameter in fresh.parameters():
                parameter.fill_(0.5)
        with torch.inference_mode():
            assert same_bits(copied(tokens), expected)


def shared(model: nn.Module) -> list[str]:
    """The names under which torch knows each parameter first: those that are tied appear once."""
    return [name for name, _ in model.named_parameters()]


def test_a_module_keeps_nothing_of_where_its_numbers_come_from(tmp_path: Path) -> None:
    """A long chain of definitions in the spec does not make a module that cannot be copied or pickled."""
    chain = "".join(f"  c{i}: c{i - 1} + 1\n" for i in range(1, 1500))
    text = (STEPS / "score-scale.yaml").read_text(encoding="utf-8")
    text = text.replace("parameters:", f"constants:\n  c0: 1\n{chain}parameters:").replace("gain *", "gain / c1499 *")
    model = compiler.build(load_text(tmp_path, text))
    assert shared(copy.deepcopy(model)) == shared(model)
    assert shared(pickle.loads(pickle.dumps(model))) == shared(model)


@pytest.mark.parametrize("name", EVERY)
def test_inference_mode_and_gradients(name: str) -> None:
    """The same bits with and without gradients, which are finite even where a score is -inf."""
    model, tokens = built(name)
    logits = model(tokens)
    with torch.inference_mode():
        assert same_bits(model(tokens), logits.detach())
        assert same_bits(model.eval()(tokens), logits.detach())
    logits.sum().backward()
    gradient = model.get_parameter("embedding.weight").grad
    assert gradient is not None
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", EVERY)
def test_other_dtypes_and_devices(name: str) -> None:
    """In float32 to rounding; in bfloat16 it runs; on the meta device shapes are known without numbers."""
    model, tokens = built(name)
    with torch.inference_mode():
        expected = model(tokens)
        narrow = copy.deepcopy(model).to(torch.float32)
        numbers = [tensor for tensor in [*narrow.parameters(), *narrow.buffers()] if tensor.is_floating_point()]
        assert {tensor.dtype for tensor in numbers} == {torch.float32}
        assert narrow(tokens).dtype == torch.float32
        assert (narrow(tokens) - expected).abs().max() <= 1e-4 * max(1.0, expected.abs().max().item())
        assert copy.deepcopy(model).to(torch.bfloat16)(tokens).dtype == torch.bfloat16
        assert same_bits(model.to("cpu")(tokens), expected)
        abstract = model.to("meta")(tokens.to("meta"))
    assert abstract.is_meta
    assert (abstract.shape, abstract.dtype) == (expected.shape, expected.dtype)


@pytest.mark.parametrize("name", EVERY)
def test_sequences_of_any_length_up_to_the_context(name: str) -> None:
    model, tokens = built(name)
    longer = torch.cat([tokens, tokens[:, :1]], dim=1)
    with pytest.raises(ValueError, match=f"{longer.shape[1]} tokens.*{tokens.shape[1]}"):
        model(longer)
    assert model(tokens[:, :0]).shape[:2] == (3, 0)
    assert model(tokens[:0]).shape[:2] == (0, tokens.shape[1])


@pytest.mark.parametrize("name", VARIED)
def test_prompts_of_one_batch_do_not_meet(name: str) -> None:
    """Each sequence gives the logits that it gives alone."""
    model, tokens = built(name)
    with torch.inference_mode():
        together = model(tokens)
        for row, logits in zip(tokens, together, strict=True):
            assert_near(model(row[None])[0], logits)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest would keep every line of the trace that torch writes while it compiles, which doubles the time."""
    monkeypatch.setattr(logging.getLogger("torch.__trace"), "disabled", True)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    "name", [name if name in FEW else pytest.param(name, marks=pytest.mark.long) for name in VARIED]
)
def test_compiled_graphs(name: str) -> None:
    """One graph without breaks; one more when the length changes."""
    model, tokens = built(name)
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    with torch.inference_mode():
        for time in (tokens.shape[1], 3, 4):
            assert_near(compiled(tokens[:, :time]), model(tokens[:, :time]))


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    "name", [name if name in FEW else pytest.param(name, marks=pytest.mark.long) for name in VARIED]
)
def test_exported_programs(name: str) -> None:
    """Any batch, any length up to the context, from one program."""
    model, tokens = built(name)
    automatic = torch.export.Dim.AUTO
    program = torch.export.export(model, (tokens,), dynamic_shapes=({0: automatic, 1: automatic},))
    assert set(program.state_dict) == set(model.state_dict())
    run = program.module()
    with torch.inference_mode():
        for batch, time in ((3, tokens.shape[1]), (2, 3), (1, 4)):
            assert_near(run(tokens[:batch, :time]), model(tokens[:batch, :time]))


@pytest.mark.long
@pytest.mark.usefixtures("quiet")
@pytest.mark.skipif(shutil.which("g++") is None and shutil.which("clang++") is None, reason="needs a C++ compiler")
@pytest.mark.parametrize("name", VARIED)
def test_compiled_kernels(name: str) -> None:
    model, tokens = built(name)
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True)
    with torch.inference_mode():
        assert_near(compiled(tokens), model(tokens))


def test_a_stored_bias_of_zeros_is_a_bias() -> None:
    """Beside a row that is stored once it has a number for each unit."""
    model, tokens = built("ties")
    added = torch.tensor([10.0, 20.0], dtype=torch.float64)
    up = model.get_submodule("one.ffn.up")
    seen: list[Tensor] = []
    up.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    with torch.no_grad():
        model(tokens)
        model.get_parameter("one.ffn.up.bias").copy_(added)
        model(tokens)
    assert torch.equal(seen[1], seen[0] + added)
