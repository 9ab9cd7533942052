"""Tokens that few positions decide, by the last bits of sums: no bound says which way these are rounded."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from compiler.pipeline import load_source
from compiler.source.text import Source
from compiler.verifier.verify import verify
from tests.verifier.truth import truth
from tests.verifier.verdicts import check

pytestmark = pytest.mark.machine

# 0.1 + 0.2 - 0.3 is a little more than 0, in any order. So is the lead of the symbol that is due, which is read {back}.
# Where {turned} is 1, {more} is added. As a rule that is -13.75 units of 2^-53: too little for a bound on six terms,
# and more than all their roundings, so that the lead is below 0 in any order too.
SPEC = """\
weightspec: 1
name: last bits
dtype: float64
vocabulary: symbol[symbols] =
task:
  copy: {{symbols: 3, length: 2}}
  prompt: word =
  answer: copied
stream: one here[symbols] due[symbols] other[symbols] before[symbols] lead[symbols]
network:
  embedding:
    symbol[s]: {{one: 1, "here[s]": 1}}
    =: {{one: 1}}
{first}
  attention:
    heads: back far
    value_dim: symbols
    score back: where(query_pos < length or query_pos > 3 or {back}, 0, -inf)
    score far: where(query_pos < length or query_pos > 3 or key_pos == 3 - query_pos, 0, -inf)
    value back[s]: {due}
    value far[s]: here[s]
    output due[s]: back[s]
    output other[s]: far[s]
  ffn:
    hidden: a[symbols] b[symbols] c[symbols] d[symbols] e[symbols] f[symbols]
    up a[s]: due[s]
    up b[s]: due[s]
    up c[s]: due[s]
    up d[s]: due[s] + {turned} - one
    up e[s]: due[s] + {turned} - one
    up f[s]: due[s] + {turned} - one
    down lead[s]: 0.1 * a[s] + 0.2 * b[s] - 0.3 * c[s] {more}
  head:
    classes: symbols
    logits symbol[s]: lead[s]
decode: argmax
ignore: no-claims
"""
EARLIER = """\
  attention earlier:
    value_dim: symbols
    score head: where(query_pos == 0 or key_pos == query_pos - 1, 0, -inf)
    value head[s]: here[s]
    output before[s]: head[s]
"""


@dataclass(frozen=True)
class Case:
    """Whether every token is settled, and every input right."""

    turned: str = "0 * one"
    due: str = "here[s]"
    back: str = "key_pos == query_pos - length"
    more: str = "- 0.8 * d[s] - 1.6 * e[s] + (2.4 - 3 * 2 ** -51) * f[s]"
    first: str = ""
    settled: bool = True
    right: bool = False


CASES = {
    "the lead is tiny": Case(right=True),
    "the query's own token matters": Case("here[2]"),
    "what another head reads matters": Case("other[2]"),
    "what an earlier attention reads matters": Case("before[2]", first=EARLIER, settled=False),
    "the right token is not read": Case(due="where(s == 0, 1, 0) * one", back="key_pos == 3 - query_pos"),
    "the lead is tiny after some tokens": Case("here[2]", more="+ 0.5 * d[s]", right=True),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_settled_is_so(name: str) -> None:
    case = CASES[name]
    spec = load_source(Source(name, SPEC.format(**vars(case))))
    so, found = truth(spec), verify(spec, tried=0)
    assert (so.failing == 0) == case.right
    check(name, spec, found, so)
    assert all(step.open == 0 for step in found.steps) == case.settled
