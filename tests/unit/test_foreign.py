"""Models of other programs: asked the same as specs, held against counts by hand and against the spec's own model."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

import compiler
from compiler import SpecError, StatedTask, evaluate, load, load_foreign, load_task
from compiler.backends.torch.foreign import ForeignModel
from compiler.evaluation.evaluation import Evaluation
from compiler.evaluation.saved_runs import saved_run
from compiler.pipeline import Spec
from tests.helpers import SPECS, STEPS

COPY = """\
vocabulary: symbol[4]
task:
  copy: {symbols: 4, length: 3}
  prompt: word
  answer: {in_place: word}
"""
ADD = """\
vocabulary: digit[2] + = <pad>
task:
  addition: {base: 2, digits: 2}
  prompt: a + b =
  answer: sum
"""
UNTASKED = """\
weightspec: 1
name: untasked
dtype: float32
vocabulary: a b
context: 3
stream: x
network:
  embedding: {a: {x: 1}}
decode: argmax
"""
WORDS = list(product(range(4), repeat=3))


def stated(folder: Path, text: str, *settings: str) -> StatedTask:
    path = folder / "task.yaml"
    path.write_text(text, encoding="utf-8")
    return load_task(path, settings)


class Copies(nn.Module):
    """Says each token that it reads, but 0 for a 3."""

    def forward(self, tokens: Tensor) -> Tensor:
        return one_hot(tokens % 3, 4).float()


class Adds(nn.Module):
    """Adds two numbers of two bits, and says the lowest bit of a sum of 3 wrong. What comes later plays no part."""

    def forward(self, tokens: Tensor) -> Tensor:
        logits = torch.zeros(*tokens.shape, 4, dtype=torch.float64)
        for row, read in enumerate(tokens.tolist()):
            for place in range(5, len(read)):
                total = 2 * read[0] + read[1] + 2 * read[3] + read[4]
                bit = (total >> (7 - place)) & 1
                logits[row, place, 1 - bit if total == 3 and place == 7 else bit] = 1.0
        return logits


class Peeks(nn.Module):
    """Says the token that comes next in what it reads, and 0 at the end: no causal model can know it."""

    def forward(self, tokens: Tensor) -> Tensor:
        return one_hot(torch.cat((tokens[:, 1:], torch.zeros_like(tokens[:, :1])), 1).clamp(max=3), 4).float()


def table(evaluation: Evaluation) -> list[tuple[str, str, int, int]]:
    return [(suite.suite, part.label, part.right, part.inputs) for suite in evaluation.suites for part in suite.parts]


def test_answers_in_place_are_counted(tmp_path: Path) -> None:
    right = sum(3 not in word for word in WORDS)
    result = evaluate(load_foreign(Copies(), stated(tmp_path, COPY)), ["exhaustive"])
    assert (result.right, result.inputs, result.dtype, result.engine.name) == (right, 64, "float32", "plain")
    assert result.engine.reason is not None
    assert "another program" in result.engine.reason
    assert result.suites[0].parts[0].failures[0].got == "0 0 0"


@pytest.mark.parametrize("batch", [None, 5])
def test_answers_that_follow_are_decoded_token_by_token(tmp_path: Path, batch: int | None) -> None:
    model = load_foreign(Adds(), stated(tmp_path, ADD))
    result = evaluate(model, ["exhaustive"], batch=batch)
    right = sum(a + b != 3 for a, b in product(range(4), repeat=2))
    assert (result.right, result.inputs, result.decoding, result.dtype) == (right, 16, "greedy", "float64")
    assert {(one.slot, one.said) for part in result.suites[0].parts for one in part.classes} == {("sum[2]", "0")}


@pytest.mark.parametrize("batch", [None, 5])
def test_a_module_that_peeks_at_the_answer_is_not_shown_it(tmp_path: Path, batch: int | None) -> None:
    result = evaluate(load_foreign(Peeks(), stated(tmp_path, ADD)), ["exhaustive"], batch=batch)
    assert (result.right, result.inputs) == (1, 16)  # 0 + 0, as it says 0 where nothing follows


def test_tokens_without_a_logit_are_not_asked_for(tmp_path: Path) -> None:
    model = load_foreign(Adds(), stated(tmp_path, ADD.replace("answer: sum", "answer: sum <pad>")))
    assert (model.classes, model.layout.predicted, model.warnings) == (4, (0, 1, 2), ())
    assert evaluate(model, ["exhaustive"]).right == 12


def test_symbols_without_a_logit_are_warned_of(tmp_path: Path) -> None:
    (warning,) = load_foreign(Copies(), stated(tmp_path, COPY.replace("4", "6"))).warnings
    assert (warning.code, warning.span and warning.span.line) == ("silent-symbol", 5)
    assert "symbol[4], symbol[5]" in warning.message


def test_lengths_are_told_apart(tmp_path: Path) -> None:
    text = COPY.replace("copy: {symbols: 4, length: 3}", "copy: {symbols: 4, length: {from: 1, to: 3}}")
    result = evaluate(load_foreign(Copies(), stated(tmp_path, text)), ["exhaustive"])
    assert table(result) == [("exhaustive", f"length {n}", 3**n, 4**n) for n in (1, 2, 3)]


def test_the_lowest_logit_wins_where_the_task_says_so(tmp_path: Path) -> None:
    class Lowest(Copies):
        def forward(self, tokens: Tensor) -> Tensor:
            return -super().forward(tokens).bfloat16()

    highest, lowest = stated(tmp_path, COPY), stated(tmp_path, f"{COPY}decode: argmin\n")
    assert evaluate(load_foreign(Lowest(), lowest), ["exhaustive"]).right == 27
    assert evaluate(load_foreign(Lowest(), highest), ["exhaustive"]).right < 27
    assert load_foreign(Lowest(), lowest).dtype.name == "bfloat16"


def saved(spec: Spec, path: Path, **changed: Tensor) -> Path:
    """The tensors of a spec in a file without it."""
    from safetensors.torch import save_file

    tensors = {name: tensor.clone() for name, tensor in compiler.build(spec).state_dict().items()}
    save_file({**tensors, **changed}, path)
    return path


def test_tensors_in_a_network_say_what_the_spec_with_these_numbers_says(tmp_path: Path) -> None:
    spec = load(SPECS / "tiny95.yaml", {"digits": 2})
    variant = load(SPECS / "tiny95.yaml", {"digits": 2, "v_scale": 0.02})
    model = load_foreign(saved(variant, tmp_path / "v.safetensors"), spec, like=spec)
    found, expected = (table(evaluate(one, ["edges"], engine="plain", batch=100)) for one in (model, variant))
    assert found == expected
    assert any(right < inputs for _, _, right, inputs in found)
    assert model.decode == "argmin"


def test_a_network_whose_mask_is_causal_is_taught(tmp_path: Path) -> None:
    spec = load(SPECS / "qwen20.yaml", {"digits": 2})
    model = load_foreign(saved(spec, tmp_path / "q.safetensors"), spec, like=spec)
    result = evaluate(model, ["uniform"], inputs=20, batch=20)
    assert (result.right, result.decoding, result.batched) == (20, "teacher", 20)


def test_a_tied_tensor_goes_by_any_of_its_names(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    spec = load(STEPS / "head-tied.yaml")
    state = {name: tensor.clone() for name, tensor in compiler.build(spec).state_dict().items()}
    first, second = (name for name in state if name in ("embedding.weight", "head.weight", "head.logits.weight"))
    path = tmp_path / "tied.safetensors"
    for left_out in ((), (first,), (second,)):
        save_file({name: tensor for name, tensor in state.items() if name not in left_out}, path)
        module = load_foreign(path, spec, like=spec).module
        assert torch.equal(module(torch.tensor([[0, 1]])), compiler.build(spec)(torch.tensor([[0, 1]])))
    save_file({**state, second: state[second] + 1}, path)
    with pytest.raises(SpecError, match="are one tensor"):
        load_foreign(path, spec, like=spec)


def test_a_task_of_its_own_is_asked_of_a_network(tmp_path: Path) -> None:
    """`decode` is then the spec's, as the task says nothing of it."""
    spec = load(SPECS / "tiny95.yaml", {"digits": 2})
    text = ADD.replace("digit[2] + = <pad>", "digit[10] = <bos> <eos> +").replace("base: 2", "base: 10")
    task = stated(tmp_path, text.replace("a + b =", "<bos> a + b =").replace("sum\n", "sum <eos>\n"))
    model = load_foreign(saved(spec, tmp_path / "t.safetensors"), task, like=spec)
    found, expected = (evaluate(one, ["edges"], batch=50) for one in (model, spec))
    assert (model.decode, found.right, found.inputs) == ("argmin", expected.right, expected.inputs)


def test_more_tokens_than_the_network_knows_are_refused(tmp_path: Path) -> None:
    spec = load(SPECS / "qwen20.yaml", {"digits": 2})
    path = saved(spec, tmp_path / "q.safetensors")
    with pytest.raises(SpecError, match=r"11 tokens, and the network of qwen20 .*knows 10"):
        load_foreign(path, stated(tmp_path, ADD.replace("digit[2] + = <pad>", "digit[8] + = <pad>")), like=spec)


def test_a_sequence_longer_than_the_network_takes_is_refused(tmp_path: Path) -> None:
    spec = load(SPECS / "qwen20.yaml", {"digits": 2})
    with pytest.raises(SpecError, match="this model is built for"):
        load_foreign(saved(spec, tmp_path / "q.safetensors"), load(SPECS / "qwen20.yaml"), like=spec)


def test_what_a_module_prints_is_no_part_of_the_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Prints(Copies):
        def forward(self, tokens: Tensor) -> Tensor:
            print("listen")
            return super().forward(tokens)

    evaluate(load_foreign(Prints(), stated(tmp_path, COPY)), ["edges"])
    out, err = capsys.readouterr()
    assert (out, "listen" in err) == ("", True)


def test_a_module_that_fails_later_is_named_with_its_tokens(tmp_path: Path) -> None:
    class Picky(Copies):
        def forward(self, tokens: Tensor) -> Tensor:
            if tokens[0, 0] == 2:
                raise IndexError("a 2\nis too much")
            return super().forward(tokens)

    model = load_foreign(Picky(), stated(tmp_path, COPY))
    with pytest.raises(SpecError, match=r"Picky.* fails on tokens \[1, 3\], 2 0 0: is too much"):
        evaluate(model, ["exhaustive"])


def test_a_module_that_does_not_say_the_same_each_time_is_at_fault(tmp_path: Path) -> None:
    class Moody(Copies):
        calls = 0

        def forward(self, tokens: Tensor) -> Tensor:
            self.calls += 1
            return super().forward(tokens if self.calls % 2 else tokens + 1)

    model = load_foreign(Moody(), stated(tmp_path, COPY))
    with pytest.raises(SpecError, match=r"wrong, and right when it is asked again .*\[bad-module\]"):
        evaluate(model, ["exhaustive"])


def test_a_module_is_put_into_its_mode_for_evaluation(tmp_path: Path) -> None:
    class Noisy(Copies):
        def forward(self, tokens: Tensor) -> Tensor:
            return super().forward(tokens + self.training)

    class Set(Copies):
        def eval(self) -> Set:
            raise NotImplementedError  # as what torch.export makes

    for module in (Noisy(), Set()):
        assert evaluate(load_foreign(module, stated(tmp_path, COPY)), ["exhaustive"]).right == 27


def test_logits_that_change_their_form_are_refused(tmp_path: Path) -> None:
    class Changes(Copies):
        def forward(self, tokens: Tensor) -> Tensor:
            logits = super().forward(tokens)
            return logits if tokens[0, 0] == 0 else self.other(logits)

        def other(self, logits: Tensor) -> Tensor:
            return logits[..., :3]

    class Grows(Changes):
        def other(self, logits: Tensor) -> Tensor:
            return logits.double()

    for module, says in (
        (Changes(), "not to logits"),
        (Grows(), "gives logits of float(32, and gave some of float64|64, and gave some of float32)"),
    ):
        model = load_foreign(module, stated(tmp_path, COPY))
        with pytest.raises(SpecError, match=says):
            evaluate(model, ["exhaustive"])


def test_it_is_asked_on_the_cpu_alone(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no device|on the CPU"):
        evaluate(load_foreign(Copies(), stated(tmp_path, COPY)), ["edges"], device="meta")


def test_long_runs_of_other_files_are_kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIGHTSPEC_CACHE", str(tmp_path / "cache"))
    model = load_foreign(Copies(), stated(tmp_path, COPY))
    other = load_foreign(Copies(), stated(tmp_path, COPY.replace("copy", "reverse")))

    def kept(one: ForeignModel, sha256: str | None) -> Path | None:
        run = saved_run(replace(one, sha256=sha256), "uniform", (), 0, 5, in_batches=False)
        return None if run is None else run.path

    assert kept(model, None) is None  # nothing tells two modules in memory apart
    assert kept(model, "1") == kept(model, "1")
    assert len({kept(model, "1"), kept(model, "2"), kept(other, "1")}) == 3


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("vocabulary: a b\n", "missing-key", 1),
        (COPY.partition("task:")[2].join(("task:", "")), "missing-key", 1),
        ("given: {word: digit*3}\nanswers: {same: digit*3}\n", "missing-key", 1),
        (COPY.replace("vocabulary", "vocabulry"), "unknown-key", 1),
        (COPY.replace("  prompt: word\n", ""), "missing-key", 2),
        (COPY.replace("prompt: word", "prompt: wrod"), "unknown-name", 4),
        (f"{COPY}decode: maximum\n", "bad-value", 6),
        (f"weightspec: 2\n{COPY}", "bad-value", 1),
        ("- a list\n", "wrong-type", 1),
    ],
)
def test_a_wrong_task_is_diagnosed_at_its_line(tmp_path: Path, text: str, code: str, line: int) -> None:
    with pytest.raises(SpecError) as caught:
        stated(tmp_path, text)
    first = caught.value.diagnostics[0]
    assert (first.code, first.span and first.span.line) == (code, line)


def test_of_a_spec_only_what_it_asks_is_read(tmp_path: Path) -> None:
    text = (SPECS / "qwen20.yaml").read_text(encoding="utf-8")
    broken = stated(tmp_path, text.replace("network:", "network:\n  attention nonsense: 3", 1), "digits=2")
    spec = load(SPECS / "qwen20.yaml", ["digits=2"])
    assert broken.resolved.asked[0].layout == spec.resolved.layout
    assert (broken.resolved.decode, broken.resolved.name) == (spec.network.decode, "qwen20")
    assert broken.title == "qwen20 --set digits=2"


def test_a_spec_without_a_task_asks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "untasked.yaml"
    path.write_text(UNTASKED, encoding="utf-8")
    spec = load(path)
    with pytest.raises(SpecError, match="states no task"):
        load_foreign(Copies(), spec)
