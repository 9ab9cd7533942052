"""A verdict is that of one sequence at a time, on every engine; where it is only that of batches, that is said."""

from __future__ import annotations

import json
import random
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
import torch

import compiler
from compiler.backends.native.engines import Decoding, EngineName
from compiler.evaluation.evaluation import answer, evaluate
from compiler.pipeline import Spec, load
from compiler.tasks.task import Inputs
from tests.cli.test_cli import call, call_json
from tests.helpers import DATA, SPECS, load_text

BATCHES = DATA / "field" / "batches.yaml"  # 17 17 is right in batches of most sizes, and wrong alone

CLOSE = """\
weightspec: 1
name: close
dtype: {dtype}
vocabulary: symbol[symbols] =
task:
  {task}: {{symbols: 4, length: 2}}
  prompt: word =
  answer: {answer}
parameters:
{tables}
stream: s[8]
network:
  embedding: E
  attention:
    heads: h[8]
    query: Q
    key: K
    value: V
    output: O
  head: {{logits: H}}
decode: argmax
"""


def one_by_one(spec: Spec) -> dict[Inputs, tuple[int, int, int] | None]:
    """The place of the first wrong token of each input, the right one there and what is said; None where all are right.

    Decoded greedily, alone and on one thread.
    """
    model, layout, task = compiler.build(spec), spec.layout, spec.resolved.task
    found: dict[Inputs, tuple[int, int, int] | None] = {}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        (part,) = task.suites()["exhaustive"].parts(0, 0)
        for inputs in part.generate():
            words = task.solve(inputs)
            right = layout.answer_tokens(words)
            said: list[int] = []
            for slot, token in enumerate(right):
                if slot in layout.predicted:
                    with torch.inference_mode():
                        logits = model(torch.tensor([[*layout.prompt_tokens(words), *said]]))[0, -1]
                    best = logits.max() if spec.network.decode == "argmax" else logits.min()
                    said.append(int((logits == best).nonzero()[0]) if not logits.isnan().any() else -1)
                else:
                    said.append(token)
                if said[-1] != token:
                    break
            slot = len(said) - 1
            found[inputs] = None if said == right else (slot, right[slot], said[slot])
    finally:
        torch.set_num_threads(threads)
    return found


@pytest.mark.parametrize("decoding", ["teacher", "greedy"])
@pytest.mark.parametrize("engine", ["fast", "plain"])
def test_what_batches_round_otherwise_is_wrong(engine: EngineName, decoding: Decoding) -> None:
    result = evaluate(load(BATCHES), ["exhaustive"], engine=engine, decoding=decoding)
    assert (result.right, result.pairs, result.batched) == (1023, 1024, 0)
    ((part,),) = (suite.parts for suite in result.suites)
    assert [failure.inputs for failure in part.failures] == [(17, 17)]


def test_eval_run_and_verify_agree() -> None:
    found = call_json("eval", str(BATCHES), "--suite", "exhaustive", exit_code=0)
    assert (found["right"], found["pairs"], found["batched"]) == (1023, 1024, 0)
    assert call("run", str(BATCHES), "17 17").exit_code == 1
    assert call("run", str(BATCHES), "17 16").exit_code == 0
    (certificate,) = call_json("verify", str(BATCHES), exit_code=1)
    assert certificate["verdict"] == "refuted"
    assert certificate["failing"] == {"at_least": 1, "at_most": 1}


def test_verdicts_of_batches_are_said_to_be_such() -> None:
    arguments = ("eval", str(BATCHES), "--suite", "exhaustive", "--batch", "512")
    found = call_json(*arguments, exit_code=0)
    (part,) = found["suites"][0]["parts"]
    failing = found["pairs"] - found["right"]  # of which nothing is asked of a machine whose batches round otherwise
    assert found["batched"] == part["batched"] == 1024 - failing - part["close"] > 1000
    printed = call(*arguments).stdout
    assert f"{part['batched']:,} of 1,024 verdicts are those of batches; it is not shown that" in printed
    assert "batches of 512" in printed
    assert "those of batches" not in call(*arguments[:-2]).stdout


def test_what_the_fast_engine_is_sure_of_is_no_verdict_of_batches() -> None:
    assert evaluate(load(SPECS / "tiny95.yaml"), ["carries"], pairs=50, batch=10).batched == 0


def test_a_failure_that_is_decoded_is_no_verdict_of_batches() -> None:
    result = evaluate(load(SPECS / "tiny95.yaml"), ["edges"], engine="plain", batch=784, failures=None)
    ((part,),) = (suite.parts for suite in result.suites)
    assert part.right == 768
    assert part.batched <= 768


def test_a_claim_is_not_held_by_batches(tmp_path: Path) -> None:
    text = BATCHES.read_text(encoding="utf-8").replace("ignore: no-claims", "")
    path = tmp_path / "claimed.yaml"
    path.write_text(text + "expect: {eval: {exhaustive: {pairs: 1024, right: 1023}}}\n", encoding="utf-8")
    arguments = ("eval", str(path), "--suite", "exhaustive")
    held, unchecked = (call_json(*arguments, *more, exit_code=0)["claims"][0] for more in ((), ("--batch", "512")))
    assert held["status"] == "held"
    assert (unchecked["status"], unchecked["reason"]) == ("not checked", "run in batches")


@pytest.mark.parametrize("batch", [0, -3, 10**6 + 1, 10**20])
def test_a_batch_has_a_sequence(batch: int) -> None:
    with pytest.raises(compiler.SpecError, match="a batch has from 1 to 1,000,000 sequences"):
        compiler.evaluate(load(BATCHES), engine="plain", batch=batch)


def close_network(folder: Path, seed: int, dtype: str, task: str) -> Spec:
    """Random weights, and rows of logits that differ by about as much as rounding."""
    draw = random.Random(seed)

    def row() -> list[float]:
        return [round(draw.uniform(-1, 1), 3) for _ in range(8)]

    common, step = row(), {"float32": 2.0**-21, "bfloat16": 2.0**-7}[dtype]
    tables = {"E": [row() for _ in range(5)]} | {name: [row() for _ in range(8)] for name in "QKVO"}
    tables["H"] = [[x + step * y for x, y in zip(common, row(), strict=True)] for _ in range(5)]
    lines = "\n".join(f"  {name}: {json.dumps(table)}" for name, table in tables.items())
    answer = {"copy": "copied", "reverse": "reversed"}[task]
    return load_text(folder, CLOSE.format(dtype=dtype, task=task, answer=answer, tables=lines), name=f"close{seed}")


@pytest.mark.parametrize(
    ("seed", "dtype", "task"), list(product(range(2), ["float32", "bfloat16"], ["copy", "reverse"]))
)
def test_verdicts_on_close_networks_are_those_of_one_sequence(tmp_path: Path, seed: int, dtype: str, task: str) -> None:
    spec = close_network(tmp_path, seed, dtype, task)
    expected = one_by_one(spec)
    assert len(expected) == 16
    engines: tuple[EngineName, ...] = ("plain", "fast")
    for engine in engines:
        ((part,),) = (suite.parts for suite in evaluate(spec, ["exhaustive"], engine=engine, failures=None).suites)
        assert {failure.inputs for failure in part.failures} == {pair for pair, wrong in expected.items() if wrong}
        classes = Counter(wrong for wrong in expected.values() if wrong)
        named = {
            (str(spec.layout.answer[slot]), *spec.layout.spell(rest, spec.network.vocabulary.labels)): n
            for (slot, *rest), n in classes.items()
        }
        assert {(one.slot, one.expected, one.said): one.count for one in part.classes} == named
        assert part.batched == 0
    assert [answer(spec, pair).right for pair in expected] == [not wrong for wrong in expected.values()]
