"""What is said of a code: its meaning, what gives it, and what does not."""

from __future__ import annotations

from dataclasses import dataclass

BASE = """\
weightspec: 1
name: base
dtype: float64
parameters:
  t: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
vocabulary: digit[base]
task:
  addition: {base: 10, digits: 10}
  prompt: a b
  answer: sum
stream: own seen
network:
  embedding:
    digit[d]: {own: "t[d]"}
  attention:
    heads: look
    query: 1
    key look: own
    value look: own
    output seen: look
  ffn:
    hidden: unit
    up: seen
    down seen: unit
  head:
    logits digit[d]: t[d] * (own + seen)
decode: argmax
expect:
  count: {free: 10}
  eval: {adderboard: {inputs: 10010, right: 9910}}
"""


@dataclass(frozen=True)
class Explanation:
    """A code, what it means, an example that gives it and one that does not.

    An example is a spec that varies `BASE`, without its lines `weightspec: 1` and `extends: base.yaml`; or what is
    typed beside `base.yaml`: calls after `$ `, Python after `>>> `. Both are empty where no example can show it, such
    as a fault of this program.
    """

    code: str
    means: str
    wrong: str = ""
    right: str = ""
