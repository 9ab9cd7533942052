"""The tasks of tests/data/tasks/nineteen.yaml as whole specs: each with a vocabulary, a layout, and a small network."""

from __future__ import annotations

import re

from tests.helpers import ROOT

TEXT = (ROOT / "tests/data/tasks/nineteen.yaml").read_text(encoding="utf-8")
PARTS = {
    match["name"]: match["task"]
    for match in re.finditer(r"^(?P<name>\w+):\n(?P<task>(?:  .*\n)+)", TEXT, flags=re.MULTILINE)
}
LAYOUT = {"prompt": {"increment": "a =", "mod9": "a =", "rpn": "program ="}, "answer": {}}
VOCABULARIES = {
    "parity": "bit[2] <cls>",
    "majority": "bit[2] =",
    "histogram": "symbol[symbols] <bos> count[length + 1]",
    "one_token_sum": "digit[3] + =",
    "modular": "digit[base] =",
    "subtraction": "digit[base] - =",
    "addition": "digit[base] + =",
    "increment": "digit[base] =",
    "mod9": "digit[base] = rest[9]",
    "comparison": "digit[base] ? = < >",
    "reverse": "symbol[symbols]",
    "sort": "symbol[symbols]",
    "copy_distinct": "symbol[symbols]",
    "induction": "symbol[symbols]",
    "dyck": "<bos> ( [ ) ] no yes",
    "aab": "a b",
    "rpn": "digit[base] + - * =",
    "memory": "address[addresses] value[2] ?",
    "pair": "two[base, base] digit[base] =",
}
SPEC = """\
weightspec: 1
name: {name}
dtype: float32
vocabulary: "{vocabulary}"
task:
{task}stream: here
network:
  embedding:
    {token}: {{here: 1}}
  head:
    logits {token}: here
decode: argmax
"""


def written(name: str) -> str:
    """The spec of a task, as text; its task section as the file writes it, with a layout where that leaves it out."""
    task = PARTS[name]
    answer = re.search(r"answers: \{(\w+):", task)
    assert answer is not None
    for key, plain in (("prompt", LAYOUT["prompt"].get(name, "word")), ("answer", answer[1])):
        if not re.search(rf"^  {key}:", task, flags=re.MULTILINE):
            task += f"  {key}: {plain}\n"
    vocabulary = VOCABULARIES[name]
    indices = re.match(r"\w+\[(.*?)\]", vocabulary)
    family = vocabulary.partition("[")[0]
    token = vocabulary.split()[0] if indices is None else f"{family}[{', '.join('ij'[: indices[1].count(',') + 1])}]"
    return SPEC.format(name=name, vocabulary=vocabulary, task=task, token=token)
