"""What is said of networks of any steps, numbers and layouts is so, whatever they answer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from random import Random

import pytest

from compiler.pipeline import Spec, load_source
from compiler.source.diagnostics import SpecError
from compiler.source.text import Source
from compiler.verifier.verify import verify
from tests.fast.networks import random_network
from tests.helpers import small
from tests.verifier.looks import verify_in
from tests.verifier.truth import truth
from tests.verifier.verdicts import check

LOOKS = 50  # at the clock, for one network
CHUNK = 15
PROMPTS = ("a + b =", "a b a =", "b + a", "= a b b + a", "b =*2 a 1 =", "a b")
ANSWERS = ("sum", "sum 2", "+ sum =", "sum 1 2", "0 sum")
WORDS = ("word =", "word word", "= word 1 word")
ORDERS = ("most_significant_first", "least_significant_first")


def laid_out(text: str, random: Random) -> str:
    """The text of a spec with words more than once, in other places and orders."""
    if "addition" in text:
        operands, answer = (random.choice(ORDERS) for _ in range(2))
        order = f"{{operands: {operands}, answer: {answer}}}"
        text = re.sub("prompt: .*", f"prompt: {random.choice(PROMPTS)}", text)
        return re.sub("answer: .*", f"answer: {random.choice(ANSWERS)}\n  order: {order}", text)
    return text if "in_place" in text else re.sub("prompt: .*", f"prompt: {random.choice(WORDS)}", text)


def any_spec(seed: int) -> Spec | None:
    """None where the text is not valid."""
    random = Random(f"any:{seed}")
    text = random_network(random, None if random.random() < 0.3 else random.choice(("float64", "float32")))
    if random.random() < 0.5:
        text = laid_out(text, random)
    try:
        return load_source(Source("any", text))
    except SpecError:
        return None


def check_networks(seeds: Iterable[int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for seed in seeds:
        spec = any_spec(seed)
        if spec is None:
            found["not valid"] += 1
            continue
        said = verify_in(LOOKS, spec, tried=0)
        check(f"network {seed}", spec, said, truth(spec))
        found[said.verdict] += 1
        found["tokens"] += said.inputs * len(said.steps)
        found["decided"] += sum(step.right + step.wrong for step in said.steps)
        found["right"] += sum(step.right for step in said.steps)
    return found


def test_any_networks() -> None:
    found = check_networks(range(CHUNK))
    assert found["not valid"] < 0.2 * CHUNK
    assert found["decided"] > 0.2 * found["tokens"]
    assert found["right"] > 0


@pytest.mark.long
@pytest.mark.parametrize("start", range(30, 3030, 100))
def test_many_networks(start: int) -> None:
    assert check_networks(range(start, start + 100))["decided"] > 0


UNUSUAL = {
    "a right token that has no logit": "head:\n  classes: 2\n  logits digit[d]: d * x - y",
    "a position that is added after the last attention": (
        "attention:\n  value head: x\n  output y: head\nposition:\n  z: pos\nhead:\n  logits digit[d]: d * (x - y) + z"
    ),
    "a head that sees no key": (
        "attention:\n  softmax: plus_one\n  score head: -inf\n  value head: x\n  output y: head\n"
        "head:\n  logits digit[d]: d * (x - y)"
    ),
    "one head that sees no key": (
        "attention:\n  softmax: plus_one\n  heads: none some\n  score none: -inf\n  value: x\n  output y: none - some\n"
        "head:\n  logits digit[d]: d * (x - y)"
    ),
    "no attention": "head:\n  logits digit[d]: d * x - y",
    "nothing but a constant": "head:\n  logits digit[d]: d",
    "logits that are the stream": "ffn:\n  hidden: h\n  up h: x - 1\n  down x: h\n  stream: x y z w",
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_networks(name: str) -> None:
    embedding = "embedding:\n  digit[d]: {x: d, y: 1}\n"
    spec = load_source(Source(name, small(embedding + UNUSUAL[name])))
    check(name, spec, verify(spec, tried=0), truth(spec))
