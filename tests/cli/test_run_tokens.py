"""`run --tokens`: the tokens that follow a sequence, and their numbers; how it ends, also by Ctrl-C."""

from __future__ import annotations

import math
import subprocess
import sys
from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate, islice, pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor

import compiler
from compiler import build, generate, load
from compiler.backends.torch.decode import choose
from compiler.evaluation.generation import probabilities, ranked
from compiler.expressions.floats import FORMATS, round_to
from compiler.source.diagnostics import SpecError
from tests.cli.test_cli import EXACT, QWEN, ROOT, TINY, call, call_json
from tests.cli.test_json_shapes import NAN
from tests.helpers import DATA
from tests.hooked import after_import

AAB = str(DATA / "next-token-aab.yaml")  # it sees the tokens after one too, as its mask is a number
SPREAD = """\
weightspec: 1
name: spread
dtype: float32
vocabulary: ["digit[3]", +, a b]
task:
  addition: {base: 2, digits: 1}
  prompt: a + b
  answer: sum
stream: none one two
network:
  embedding:
    digit[d]: {one: 0.1, two: 0.7 * d}
decode: argmax
ignore: no-claims
"""


@pytest.fixture
def spread(tmp_path: Path) -> str:
    """A spec whose probabilities are all far from 0 and 1."""
    path = tmp_path / "spread.yaml"
    path.write_text(SPREAD, encoding="utf-8")
    return str(path)


@pytest.fixture
def nan(tmp_path: Path) -> str:
    path = tmp_path / "nan.yaml"
    path.write_text(f"{NAN}ignore: no-claims\n", encoding="utf-8")
    return str(path)


def aab_logits(tokens: list[int]) -> Tensor:
    """The published model by hand: position and token as one-hot vectors, one head, the embedding as head."""
    large, count = 1024.0, len(tokens)
    embedding = torch.zeros(2, 8, dtype=torch.float64)
    embedding[0, 5] = embedding[1, 6] = 1
    x = embedding[tokens] + torch.eye(5, 8, dtype=torch.float64)[:count]
    key, query, value = (torch.zeros(8, 8, dtype=torch.float64) for _ in range(3))
    for p in range(5):
        key[p, p] = 1
        query[p, p] = large
        query[p, min(p + 1, 4)] = large
    value[7, 5], value[7, 6] = 1, -1
    later = torch.full((count, count), -1e10, dtype=torch.float64).triu(1)
    pattern = torch.softmax((x @ query.T) @ (x @ key.T).T / math.sqrt(8) + later, -1)
    head = (pattern @ (x @ value.T))[:, 7]
    x[:, 5] += large - large * head
    x[:, 6] += large * head
    return (x @ embedding.T)[-1]


@pytest.mark.parametrize("window", [None, 1, 3, 5])
def test_logits_and_probabilities_are_those_of_a_plain_computation(window: int | None) -> None:
    options = [] if window is None else ["--window", str(window)]
    found = call_json("run", AAB, "--tokens", "0 t[1]", "--steps", "4", *options)
    sequence = [0, 1]
    assert (found["tokens"], found["window"], found["temperature"]) == (["t[0]", "t[1]"], window, 1)
    for step in found["steps"]:
        expected = aab_logits(sequence[-window:] if window else sequence)
        numbers = {one["token"]: (one["logit"], one["probability"]) for one in step["candidates"]}
        assert sorted(numbers) == ["t[0]", "t[1]"]
        logits, shares = torch.tensor([numbers[name] for name in ("t[0]", "t[1]")], dtype=torch.float64).T
        assert torch.allclose(logits, expected, rtol=1e-12, atol=1e-9)
        assert torch.allclose(shares, torch.softmax(expected, -1), rtol=1e-9, atol=1e-12)
        sequence.append(int(expected.argmax()))
        assert step["token"] == f"t[{sequence[-1]}]"
        assert (step["logit"], step["probability"]) == numbers[step["token"]]
    assert found["said"] == [f"t[{token}]" for token in sequence[2:]]


@pytest.mark.parametrize("path", [TINY, EXACT, QWEN], ids=lambda path: Path(path).stem)
@pytest.mark.parametrize("inputs", [("958", "67"), ("1", "2")])
def test_greedy_decoding_of_the_task_says_the_same(path: str, inputs: tuple[str, ...]) -> None:
    answered = call_json("run", path, *inputs, "--set", "digits=3")
    digits = [token for token in answered["answer_tokens"] if token.startswith("digit")]
    prompt = " ".join(answered["prompt_tokens"])
    found = call_json("run", path, "--tokens", prompt, "--steps", str(len(digits)), "--set", "digits=3")
    assert found["said"] == digits
    assert (found["ended"], found["interrupted"], found["seed"]) == ("steps", False, None)


def test_the_task_plays_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load(AAB)
    bare = replace(spec, resolved=replace(spec.resolved, asked=()))
    monkeypatch.setattr(compiler, "load", lambda *_, **__: bare)
    command = ("run", AAB, "--tokens", "0 0 1", "--until", "1")
    assert call_json(*command)["said"] == ["t[0]", "t[0]", "t[1]"]
    assert call(*command, "--top", "2").exit_code == 0


def test_the_smallest_logit_wins_where_the_spec_says_so() -> None:
    found = call_json("run", TINY, "--tokens", "<bos> 1 + 1 =", "--set", "digits=1", "--temperature", "1e9")
    (step,) = found["steps"]
    logits = torch.tensor([one["logit"] for one in step["candidates"]], dtype=torch.float64)
    shares = [one["probability"] for one in step["candidates"]]
    assert found["decode"] == "argmin"
    assert len(logits) == 10
    assert step["logit"] == logits[0] == logits.min()
    assert all(first <= second for first, second in pairwise(logits))
    assert shares == pytest.approx(torch.softmax(-logits / 1e9, -1).tolist(), rel=1e-9)
    assert 0 < shares[-1] < shares[0] < 1


def test_with_a_window_it_goes_on_beyond_the_context() -> None:
    result = call("run", AAB, "--tokens", "0 0 1 0 0", "--steps", "20", "--window", "5")
    period = ["t[1] t[0] t[0]"] * 7
    said = " ".join(period).split()[:20]
    assert result.exit_code == 0
    assert result.stdout == f"{' '.join(said)}\nsequence: t[0] t[0] t[1] t[0] t[0] {' '.join(said)}\n"
    endless = generate(load(AAB), [0, 0, 1, 0, 0], window=5)
    assert [one.token for one in islice(endless, 60)] == [1, 0, 0] * 20


def test_without_a_window_it_ends_where_the_context_is_full() -> None:
    result = call("run", AAB, "--tokens", "0 0 1", "--steps", "20")
    assert result.exit_code == 1
    assert "cut short: the model is built for 5 tokens; with --window 5 it goes on" in result.stdout
    found = call_json("run", AAB, "--tokens", "0 0 1", "--steps", "20", exit_code=1)
    assert (found["said"], found["ended"]) == (["t[0]", "t[0]", "t[1]"], "context")
    assert call_json("run", AAB, "--tokens", "0 0 1", "--steps", "3")["ended"] == "steps"
    assert [one.ending for one in generate(load(AAB), "0 0 1")] == [None, None, "context"]
    longer = call_json("run", AAB, "--tokens", "1 1 1 1 0 0 1 0 0", "--window", "4")
    assert (longer["said"], len(longer["tokens"])) == (["t[1]"], 9)


def test_a_stop_token_is_the_last_one() -> None:
    found = call_json("run", AAB, "--tokens", "0 0 1", "--until", "t[1]")
    assert (found["said"], found["ended"]) == (["t[0]", "t[0]", "t[1]"], "until")
    found = call_json("run", AAB, "--tokens", "0 0 1", "--until", "1", "--steps", "2")
    assert (found["said"], found["ended"]) == (["t[0]", "t[0]"], "steps")
    never = call_json("run", AAB, "--tokens", "0 0 0 0 0", "--until", "0", "--window", "1", "--steps", "3")
    assert (never["said"], never["ended"]) == (["t[1]", "t[0]"], "until")
    bounded = [one.token for one in generate(load(AAB), "0 0 1 0 0", until="0", window=5)]
    assert bounded == [1, 0]


def drawn(step: dict[str, list[dict[str, float]]], order: list[str], random: Random) -> str:
    """The token that a uniform number takes from the sums of the probabilities, in the order of their ids."""
    shares = {one["token"]: one["probability"] for one in step["candidates"]}
    sums = list(accumulate(shares[name] for name in order))  # type: ignore[index]
    return order[bisect_right(sums, random.random() * sums[-1])]


@pytest.mark.parametrize("seed", [None, 0, 7, -3])
def test_tokens_are_drawn_by_their_probabilities(spread: str, seed: int | None) -> None:
    options = [] if seed is None else ["--seed", str(seed)]
    command = ("run", spread, "--tokens", "1 +", "--steps", "60", "--window", "2", "--sample", *options)
    found = call_json(*command)
    random = Random(seed or 0)
    order = ["digit[0]", "digit[1]", "digit[2]"]
    assert found["said"] == [drawn(step, order, random) for step in found["steps"]]
    assert set(found["said"]) == set(order)
    assert all(step["token"] == token for step, token in zip(found["steps"], found["said"], strict=True))
    assert found["seed"] == (seed or 0)
    assert call_json(*command) == found


def test_seeds_and_temperatures_make_a_difference(spread: str) -> None:
    command = ("run", spread, "--tokens", "2 2", "--steps", "40", "--window", "2", "--sample")
    said = {tuple(call_json(*command, "--seed", str(seed))["said"]) for seed in range(3)}
    assert len(said) == 3
    cold = call_json(*command, "--temperature", "1e-3")
    assert cold["said"] == ["digit[2]"] * 40
    for temperature in ("0.5", "3"):
        (step,) = call_json("run", spread, "--tokens", "2", "--temperature", temperature)["steps"]
        logits = torch.tensor([one["logit"] for one in step["candidates"]], dtype=torch.float32).double()
        shares = [one["probability"] for one in step["candidates"]]
        assert shares == pytest.approx(torch.softmax(logits / float(temperature), -1).tolist(), rel=1e-12)


def test_a_token_of_probability_zero_is_never_drawn() -> None:
    greedy = call_json("run", AAB, "--tokens", "0 0 1", "--steps", "30", "--window", "5")
    for seed in range(3):
        options = ("--steps", "30", "--window", "5", "--sample", "--seed", str(seed))
        assert call_json("run", AAB, "--tokens", "0 0 1", *options)["said"] == greedy["said"]


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ((math.inf, 0.0, math.inf), (0.5, 0, 0.5)),
        ((-math.inf, -math.inf), (0.5, 0.5)),
        ((1e308, -1e308), (1, 0)),
        ((0.0, -0.0, -math.inf), (0.5, 0.5, 0)),
    ],
)
def test_probabilities_of_extreme_logits(logits: tuple[float, ...], expected: tuple[float, ...]) -> None:
    assert probabilities(logits, "argmax", 1e-300) == expected
    assert probabilities([-logit for logit in logits], "argmin", 1e-300) == expected


def test_the_order_of_candidates() -> None:
    assert ranked([1.0, 3.0, 3.0, -1.0], "argmax") == [1, 2, 0, 3]
    assert ranked([1.0, 3.0, 3.0, -1.0], "argmin") == [3, 0, 1, 2]
    assert ranked([1.0, math.nan, 3.0, math.nan], "argmax") == [1, 3, 2, 0]


@pytest.mark.parametrize("options", [(), ("--steps", "4"), ("--sample", "--until", "0")])
def test_a_logit_that_is_no_number_ends_it(nan: str, options: tuple[str, ...]) -> None:
    result = call("run", nan, "--tokens", "1 +", *options)
    assert result.exit_code == 1
    assert "cut short: a logit is NaN, so that the model says nothing\n" in result.stdout
    found = call_json("run", nan, "--tokens", "1 +", *options, exit_code=1)
    assert (found["said"], found["ended"]) == ([], "nan")
    (step,) = found["steps"]
    assert (step["token"], step["logit"], step["probability"]) == (None, None, None)
    assert {one["probability"] for one in step["candidates"]} == {"nan"}


def test_json_has_every_number_in_full(spread: str) -> None:
    """The shortest text of a logit reads back to the same number of float32."""
    (step,) = call_json("run", spread, "--tokens", "2")["steps"]
    with torch.inference_mode():
        logits = build(load(spread))(torch.tensor([[2]]))[0, -1].tolist()
    printed = {one["token"]: one["logit"] for one in step["candidates"]}
    assert [round_to(printed[f"digit[{d}]"], FORMATS["float32"]) for d in range(3)] == logits
    assert printed["digit[1]"] == 0.1 != logits[1]
    assert len(call_json("run", spread, "--tokens", "2", "--top", "2")["steps"][0]["candidates"]) == 2


def test_a_single_step_lists_tokens(spread: str) -> None:
    lines = call("run", TINY, "--set", "digits=1", "--tokens", "<bos> 1 + 1 =").stdout.splitlines()
    assert lines[0].split() == ["says", "digit[0]", "logit", "probability"]
    assert [line.split()[0] for line in lines[1:6]] == [f"digit[{d}]" for d in range(5)]
    assert lines[6].split() == ["and", "5", "more"]
    assert lines[7:] == [
        "sequence: <bos> digit[1] + digit[1] = digit[0]",
        "probabilities: softmax(-logits); the lowest logit wins",
    ]
    lines = call(
        "run", spread, "--tokens", "2 '+' \"a b\" 1", "--window", "2", "--temperature", "2"
    ).stdout.splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["digit[2]", "0.7", "0.409"],
        ["digit[1]", "0.1", "0.303"],
        ["digit[0]", "0", "0.288"],
    ]
    assert lines[4:] == [
        'sequence: digit[2] + "a b" digit[1] digit[2]',
        "probabilities: softmax(logits / 2)",
    ]


def test_several_steps_list_tokens_where_they_are_asked_for(spread: str) -> None:
    lines = call("run", spread, "--tokens", "1", "--steps", "2", "--top", "1", "--sample", "--seed", "4").stdout
    headers = [line.split()[1] for line in lines.splitlines() if line.startswith("says ")]
    assert headers == call_json("run", spread, "--tokens", "1", "--steps", "2", "--sample", "--seed", "4")["said"]
    assert lines.count("and 2 more") == 2
    assert lines.endswith("drawn with seed 4\n")


def test_almost_certain_is_not_shown_as_certain(spread: str) -> None:
    shown = call("run", spread, "--tokens", "2", "--temperature", "0.1").stdout
    assert ">0.999" in shown


@pytest.mark.parametrize(
    ("tokens", "code", "place", "message"),
    [
        ("0 x", "unknown-name", (1, 3), "no token 'x' here; known: digit[0], digit[1], digit[2], +, a b"),
        ("0 1\n + digt[1]", "unknown-name", (2, 4), "did you mean 'digit[1]'?"),
        ("3", "unknown-name", (1, 1), "no token '3' here"),
        ("01", "unknown-name", (1, 1), "no token '01' here"),
        ("+ 'a c'", "unknown-name", (1, 3), "no token 'a c' here; did you mean 'a b'?"),
        ("+ 'a b", "unknown-name", (1, 3), "no token ''a' here"),
        ("a b", "unknown-name", (1, 1), "no token 'a' here"),
        ("digit[3]", "unknown-name", (1, 1), "no token 'digit[3]' here"),
        ("digit", "unknown-name", (1, 1), "no token 'digit' here"),
        ("", "bad-value", (1, 1), "no token to go on from"),
        (" ", "bad-value", (1, 1), "no token to go on from"),
        ("0 " * 8, "too-large", (1, 1), "a sequence of 8 tokens; this model is built for 5"),
    ],
)
def test_tokens_that_are_wrong(spread: str, tokens: str, code: str, place: tuple[int, int], message: str) -> None:
    errors = call_json("run", spread, "--tokens", tokens, exit_code=2)["errors"]
    first = errors[0]
    assert (first["code"], first["file"], (first["line"], first["column"])) == (code, "--tokens", place)
    assert message in first["message"]


def test_every_wrong_token_is_reported() -> None:
    result = call("run", TINY, "--tokens", "<bos> 12 + x <eoz>")
    assert result.exit_code == 2
    assert [line.split(": ")[0] for line in result.stderr.splitlines() if line.startswith("--tokens")] == [
        "--tokens:1:7",
        "--tokens:1:12",
        "--tokens:1:14",
    ]
    assert "hint: symbols are written apart, as in `1 2`" in result.stderr
    assert "hint: the vocabulary: digit[10] = <bos> <eos> +" in result.stderr
    assert "did you mean '<eos>'?" in result.stderr


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--until", "="), "bad-value", "'=' has no logit, so that the model never says it"),
        (("--until", "1 2"), "bad-value", "expected one token to stop at, not 2"),
        (("--until", ""), "bad-value", "expected one token to stop at, not 0"),
        (("--until", "<eoz>"), "unknown-name", "no token '<eoz>' here; did you mean '<eos>'?"),
        (("--window", "36"), "bad-value", "a window has from 1 to 35 tokens, the context, not 36"),
        (("--temperature", "0"), "bad-value", "a temperature is a number above 0, not 0"),
        (("--temperature", "nan"), "bad-value", "a temperature is a number above 0, not nan"),
        (("--temperature", "inf"), "bad-value", "a temperature is a number above 0, not inf"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_that_are_wrong(options: tuple[str, ...], code: str, message: str) -> None:
    (error,) = call_json("run", TINY, "--tokens", "<bos>", *options, exit_code=2)["errors"]
    assert (error["code"], error["file"]) == (code, "--until" if "--until" in options else None)
    assert message in error["message"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing argument 'INPUTS...': addition is asked of a (a number, at most 9999999999) and b"),
        (("1", "2", "--tokens", "1"), "give an input of the task or --tokens, not both"),
        (("--tokens", "1", "-v"), "--verbose is about an input of the task"),
        (("--tokens", "1", "--seed", "1"), "--seed needs --sample"),
        (("--tokens", "1", "--steps", "0"), "'--steps'"),
        *(
            (("1", "2", *option), f"{option[0]} needs --tokens TEXT")
            for option in (
                ("--steps", "1"),
                ("--until", "1"),
                ("--window", "3"),
                ("--sample",),
                ("--seed", "0"),
                ("--temperature", "1"),
                ("--top", "5"),
            )
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_of_one_mode_with_the_other(arguments: tuple[str, ...], message: str) -> None:
    result = call("run", TINY, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokens": [0, 5]}, "the ids of tokens are 0 to 4"),
        ({"tokens": [-1]}, "the ids of tokens are 0 to 4"),
        ({"tokens": []}, "no token to go on from"),
        ({"tokens": [0] * 6}, "a sequence of 6 tokens; this model is built for 5"),
        ({"tokens": "0", "steps": 0}, "the number of steps is 1 or more, not 0"),
        ({"tokens": "0", "window": 0}, "a window has from 1 to 5 tokens"),
    ],
)
def test_python_calls_that_are_wrong(spread: str, arguments: dict[str, object], message: str) -> None:
    """At once, before the first token is asked for."""
    with pytest.raises(SpecError, match=message):
        generate(load(spread), **arguments)  # type: ignore[arg-type]


INTERRUPT = """
def act(module):
    choose, calls = module.choose, []
    def chosen(*arguments):
        calls.append(arguments)
        if len(calls) == 4:
            with open("output") as so_far, open("flushed", "w") as copy:
                copy.write(so_far.read())
            signal.raise_signal(signal.SIGINT)
        return choose(*arguments)
    module.choose = chosen
"""


LONG_RUN = ("run", AAB, "--tokens", "0 0 1 0 0", "--steps", "9", "--window", "5")
SAID = ["t[1]", "t[0]", "t[0]"]


def test_ctrl_c_keeps_what_was_said(tmp_path: Path) -> None:
    """While the fourth token is computed; the three before it are on the terminal by then."""
    with (tmp_path / "output").open("w") as output:
        ended = subprocess.run(
            [sys.executable, str(ROOT / "cli.py"), *LONG_RUN],
            cwd=tmp_path,
            env=after_import(tmp_path, "compiler.evaluation.generation", INTERRUPT),
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    assert (ended.returncode, ended.stderr) == (130, "interrupted\n")
    assert (tmp_path / "flushed").read_text() == " ".join(SAID)
    printed = (tmp_path / "output").read_text()
    assert printed == f"{' '.join(SAID)}\nsequence: t[0] t[0] t[1] t[0] t[0] {' '.join(SAID)}\n"


def test_json_keeps_what_was_said_before_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def chosen(*arguments: Any) -> Tensor:
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return choose(*arguments)

    monkeypatch.setattr("compiler.evaluation.generation.choose", chosen)
    found = call_json(*LONG_RUN, exit_code=130)
    assert (found["said"], found["ended"], found["interrupted"]) == (SAID, "interrupted", True)
    assert [step["token"] for step in found["steps"]] == SAID
