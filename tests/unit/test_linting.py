"""Each rule of `lint`: a spec that it finds fault with, where, and one that it does not."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from compiler.pipeline import Spec, load
from compiler.readers.counting.counts import count
from compiler.readers.linting import lint
from compiler.readers.linting.rules import DEFAULT, LINT_RULES, RULE_SETS
from compiler.source.diagnostics import SpecError, render
from tests.helpers import ROOT, SPECS, load_text

CLEAN = """\
weightspec: 1
name: clean
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
  eval: {adderboard: {pairs: 10010, right: 9910}}
"""  # it adds nothing up: what it claims about the board's test is not checked here
CODES = [rule.code for rule in LINT_RULES]


@dataclass(frozen=True)
class Case:
    """The clean spec with some texts replaced. `^` stands before what the finding points at.

    `also` are other rules that the change breaks too.
    """

    code: str
    changes: dict[str, str]
    says: str = ""
    also: set[str] = field(default_factory=set)
    id: str = ""

    def __str__(self) -> str:
        return f"{self.code}-{self.id}" if self.id else self.code

    def text(self) -> tuple[str, str]:
        """The spec, and `line:column` of the mark."""
        text = CLEAN
        for old, new in self.changes.items():
            assert old in text, old
            text = text.replace(old, new)
        before, mark, after = text.partition("^")
        assert mark, text
        return before + after, f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


HEAD = "t[d] * (own + seen)"
EVAL = "  eval: {adderboard: {pairs: 10010, right: 9910}}\n"
ATTENTION = CLEAN[CLEAN.index("  attention:") : CLEAN.index("  head:")]
MARKED = {"  attention:": "  ^attention:"}
OTHER = {"[base]": "[10]", EVAL: ""}  # of a task without the sizes and the suite of addition


def attention(*lines: str) -> dict[str, str]:
    return {"heads: look": "\n    ".join(["heads: look", *lines])}


def step(*lines: str) -> dict[str, str]:
    """A step before attention."""
    return {"  attention:": "\n".join([*(f"  {line}" for line in lines), "  attention:"])}


def up(text: str) -> dict[str, str]:
    return {"up: seen": f"up: {text}"}


def parameter(text: str, count: int) -> dict[str, str]:
    return {"parameters:": f"parameters:\n  {text}", "free: 10": f"free: {count}"}


BREAKS = [
    Case(
        "other-task", {"  addition: {base: 10, digits: 10}": "  ^addition: {base: 10, digits: 9}"}, "at most 999999999"
    ),
    Case(
        "other-task",
        {
            "addition: {base: 10, digits: 10": "^addition: {base: 11, digits: 9",
            "9]\n": "9, 10]\n",
            "free: 10": "free: 11",
        },
        "at most 2357947690.",
        id="base",
    ),
    Case(
        "other-task",
        {
            **OTHER,
            "addition: {base: 10, digits: 10}": "^copy: {symbols: 10, length: 9}",
            "prompt: a b": "prompt: word 0",
            "answer: sum": "answer: copied",
        },
        "copy is not the one",
        id="kind",
    ),
    Case("low-accuracy", {"adderboard: {pairs: 10010, right: 9910": "^adderboard: {pairs: 10010, right: 9909"}),
    Case(
        "low-accuracy",
        {"adderboard: {pairs: 10010, right: 9910": "^adderboard: {pairs: 10010, right: 5005"},
        "5,005 of 10,010 right is 50 %; needed is 99 % of adderboard",
        id="fewer",
    ),
    Case(
        "low-accuracy",
        {"adderboard: {pairs: 10010, right: 9910": "^adderboard: {pairs: 10010, right: 9909"},
        "9,909 of 10,010 right is 98.991 %; needed is 99 % of adderboard",
        id="nearly",
    ),
    Case(
        "self-attention",
        {"network:": "^network:", ATTENTION: "", HEAD: "t[d] * own"},
        "there is no attention",
        id="none",
    ),
    Case(
        "self-attention",
        {**MARKED, "    value look: own\n": ""},
        "values of this attention are all zero",
        {"dead-weight"},
        id="no-values",
    ),
    Case(
        "self-attention",
        {**MARKED, "value look: own": "value look: seen"},
        "values of this attention are all zero",
        {"dead-weight"},
        id="zero-values",
    ),
    Case(
        "self-attention",
        {**MARKED, "value look: own": "value look: 1"},
        "does not depend on other tokens",
        {"dead-weight"},
        id="same-values",
    ),
    Case(
        "self-attention",
        {**MARKED, **attention("score look: where(query_pos == key_pos, 0, -inf)")},
        "nothing but itself",
        {"dead-weight", "position-table"},
        id="itself",
    ),
    Case(
        "self-attention",
        {**MARKED, HEAD: "t[d] * own"},
        "cannot change which token wins",
        {"dead-weight"},
        id="head-ignores-it",
    ),
    Case("self-attention", {**MARKED, HEAD: "t[d] * own + seen"}, "or all of them alike", {"dead-weight"}, id="alike"),
    Case("later-tokens", attention("mask: ^none"), "sees later tokens"),
    Case("later-tokens", attention("mask: ^0"), "a mask of 0", id="zero"),
    Case("later-tokens", {"network:\n": "defaults: {mask: ^none}\nnetwork:\n"}, "sees later tokens", id="default"),
    Case(
        "not-generated",
        {
            **OTHER,
            "addition: {base: 10, digits: 10}": "reverse: {symbols: 10, length: 5}",
            "prompt: a b": "prompt: word",
            "answer: sum": "answer: {in_place: ^word}",
        },
        "nothing is generated",
        {"other-task"},
    ),
    Case("wrong-count", {"free: 10": "^free: 9"}, "free count is 9; found 10"),
    Case(
        "wrong-count",
        {"count: {free: 10}": "^claimed: {count: 6, rule: free}"},
        "author's count is 6, by the rule free; found 10",
        id="author",
    ),
]
SUBMISSION = [
    Case("no-count", {"expect:": "^expect:", "  count: {free: 10}\n": ""}),
    Case("no-count", {"name": "^name", CLEAN[CLEAN.index("expect:") :]: ""}, "", {"no-accuracy"}, id="no-expect"),
    Case("no-accuracy", {"expect:": "^expect:", EVAL: "  eval: {uniform: {pairs: 9, right: 9}}\n"}),
    Case("operand-twice", {"prompt: a b": "prompt: a b ^a"}, "'a' stands in the prompt 2 times"),
    Case(
        "forced-token",
        {"[base]": "[base] <eos>", "answer: sum": "answer: sum ^<eos>", "head:": "head:\n    classes: base"},
        "<eos>: it is put there, after the last token",
    ),
    Case(
        "forced-token",
        {"[base]": "[base] <go>", "answer: sum": "answer: ^<go>*2 sum", "head:": "head:\n    classes: base"},
        "<go>: it is put there, among those",
        id="first",
    ),
    Case("argmin", {"decode: argmax": "decode: ^argmin"}),
    Case("soft-mask", attention("mask: ^-1e4"), "adding -10000", {"beside-weights"}),
    Case(  # tokens that are weighed by where they stand: no mean
        "soft-mask",
        {**attention("mask: ^-0.5"), "    query: 1\n": "", "key look: own": "biases: none"},
        "adding -0.5",
        {"beside-weights"},
        id="no-keys",
    ),
    Case("mean", {**MARKED, "    query: 1\n    key look: own\n": ""}),
    Case("mean", {**MARKED, "key look: own": "key look: 1"}, "", {"dead-weight"}, id="same-keys"),
    Case("mean", {**MARKED, "    query: 1\n    key look: own\n": "    softmax: hard\n"}, id="hard"),
]
DISCLOSURE = [
    Case(
        "learned-position",
        {**parameter("slope: 3", 11), **attention("^score look: slope * (key_pos - query_pos)")},
        "'score look' of attention reads slope",
    ),
    Case(
        "learned-position",
        {**parameter("slope: 3", 11), **step("position:", "  ^own: slope * pos")},
        "position equation 'own' of position reads slope",
        id="equation",
    ),
    Case(
        "learned-position",
        {
            **parameter("slope: 3", 11),
            **attention("head_dim: 2", "rope: {frequency: ^slope}"),
            "key look": "key look[0]",
            "value look": "value look[0]",
            "seen: look": "seen: look[0]",
        },
        "the rope frequency of attention reads slope",
        id="rope",
    ),
    Case(
        "learned-position",
        {**parameter(f"P: [{', '.join(['[0, 1]', '[1, 0]'] * 16)}]", 74), **step("position:", "  table: ^P")},
        "the table of position is learned: P[0, 0], P[0, 1], P[1, 0] and 61 more",
        {"idle-parameter", "dead-weight"},  # positions 30 and 31
        id="table",
    ),
    Case(
        "position-table",
        attention("^score look: where(query_pos - key_pos == 1, 0, -1)"),
        "it decides by a condition",
    ),
    Case(
        "position-table",
        attention("let: {far: query_pos > 1}", "^score look: where(far, 0, -1)"),
        "it decides by a condition",
        id="let",
    ),
    Case("position-table", step("position:", "  ^own: pos % 3"), "it goes in steps", {"beside-weights"}, id="equation"),
    Case(
        "position-table",
        attention("^score look: -query_pos * key_pos"),
        "it depends on more than the distance",
        id="places",
    ),
    Case(
        "position-table",
        attention("softmax: plus_one", "^score look: where(1 > key_pos, -inf, 0)"),
        "it decides by a condition, hides tokens that causality does not and depends on more than the distance",
        id="hidden",
    ),
    Case("hard-coded", up("^2.5 * seen"), "2.5 enters ffn.up.weight, and is no parameter: `free` does not count it"),
    Case("hard-coded", {"{base: 10": "{base: ^10", **up("base * seen")}, "base = 10 enters", id="size"),
    Case(
        "hard-coded",
        {"parameters:": "constants: {part: ^2 / 7}\nparameters:", **up("part * seen")},
        "2 and 7 in part enter ffn.up.weight, and are no parameters: `free` does not count them",
        id="constant",
    ),
    Case("hard-coded", up("^pi * seen"), "pi enters", id="pi"),
    Case("beside-weights", attention("scale: ^0.3"), "0.3 enters the scale of the scores of attention"),
    Case("beside-weights", attention("scale: {divide: ^0.3}"), "0.3 enters the scale", id="divide"),
    Case(
        "beside-weights",
        attention("score look: ^2 * (key_pos - query_pos)"),
        "2 enters 'score look' of attention: no count includes it",
        id="score",
    ),
    Case(
        "beside-weights",
        step("position:", "  own: sin(pos / ^7)"),
        "7 enters the position equation 'own' of position",
        id="position",
    ),
    Case(
        "index-number",
        {'digit[d]: {own: "t[d]"}': '^digit[d]: {own: "d * t[d]"}'},
        "the index d enters embedding.weight as a number (2 to 9)",
    ),
    Case("index-number", up("sum(k * seen, ^k, 3)"), "the index k enters ffn.up.weight as a number (2)", id="sum"),
    Case("condition", up("where(^base > 5, 1, 0) * seen"), "'base > 5' decides"),
    Case(
        "condition",
        {"parameters:": 'constants: {one: "where(^base > 5, 1, 0)"}\nparameters:', **up("one * seen")},
        "'base > 5' decides",
        id="constant",
    ),
    Case("taken-apart", up("(^base // 10) * seen"), "'base // 10' takes a part", {"hard-coded"}),
    Case("taken-apart", up("^floor(t[3]) * seen"), "'floor(t[3])' takes a part", id="floor"),
    Case("large-eps", {"  head:": "  head:\n    norm: ^{rms: 1e-4}"}, "an eps of 0.0001 "),
    Case("large-eps", {"  ffn:": "  norm: ^{layer: 1}\n  ffn:"}, "an eps of 1 ", id="stream"),
    Case("large-eps", attention("qk_norm: ^{rms: 0.5}"), "an eps of 0.5 ", id="queries"),
    Case("large-eps", attention("post_norm: ^{rms: 0.5}"), "an eps of 0.5 ", id="after"),
    Case("large-eps", {"  ffn:": "  ffn:\n    post_norm: ^{layer: 2}"}, "an eps of 2 ", id="after-ffn"),
    Case("unread-parameter", {"9]\n": "9]\n  ^spare: 3\n"}, "no number of the network reads the parameter spare"),
    Case("unread-parameter", {"  t: [": "  ^t: [", "9]\n": "9, 9.5]\n"}, "reads the parameter t[10]:", id="element"),
    Case(
        "idle-parameter",
        {
            **parameter("^bump: 5", 11),
            **step("position:", "  own: where(pos == 30, bump, 0)"),
        },
        "no answer depends on the parameter bump: nothing that leads to one reads it",
        {"learned-position", "position-table", "dead-weight"},
        id="position",
    ),
    Case(
        "idle-parameter",
        {
            **parameter("^bump: 5\n  twice: bump + bump", 11),
            **step("position:", "  own: where(pos == 30, twice, 0)"),
        },
        "no answer depends on the parameter bump: nothing that leads to one reads it",
        {"learned-position", "position-table", "dead-weight"},
        id="given",
    ),
    Case(
        "idle-parameter",
        {
            "parameters:": "derived: {twice: bump + bump}\nparameters:\n  ^bump: 5",
            "free: 10": "free: 11",
            **step("position:", "  own: where(pos == 30, twice, 0)"),
        },
        "no answer depends on the parameter bump: nothing that leads to one reads it",
        {"learned-position", "position-table", "dead-weight"},
        id="derived",
    ),
    Case(
        "idle-parameter",
        {
            **parameter("^bump: 5", 11),
            **attention("score look: where(key_pos + 1 < query_pos, -inf, 0)"),
            **step("position:", "  own: where(pos == 3, bump, 0)"),
        },
        "no answer depends on the parameter bump: nothing that leads to one reads it",
        {"learned-position", "position-table", "dead-weight"},
        id="unseen",
    ),
    Case(
        "idle-parameter",
        {
            **parameter("^far: 5", 11),
            **attention("score look: where(query_pos == 30, far, 0)"),
        },
        "on the parameter far",
        {"learned-position", "position-table"},
        id="score",
    ),
    Case(
        "idle-parameter",
        {
            **parameter("^v: [1, 2, 3]", 13),
            "own seen\n": "own seen spare\n",
            "    down seen": "    down spare: v[1] * unit\n    down seen",
            "up: seen": "up: v[0] * seen + v[2] * spare",
        },
        "on the parameters v[1] and v[2]: nothing that leads to one reads them",
        {"dead-weight"},
        id="elements",
    ),
    Case(
        "dead-weight",
        {
            "vocabulary: digit[base]": "vocabulary: digit[base] other",
            "  head:": "  head:\n    classes: base",
            '    digit[d]: {own: "t[d]"}': '    digit[d]: {own: "t[d]"}\n    other: {^own: "t[1]"}',
        },
        "the weight of 'other: own: t[1]', embedding.weight[other, own], can change no answer",
        id="token",
    ),
    Case(
        "dead-weight",
        {"own seen\n": "own seen spare\n", "    down seen": "    ^down spare: unit\n    down seen"},
        "the weight of 'down spare: unit', ffn.down.weight[spare, unit], can change no answer",
    ),
    Case(
        "dead-weight",
        {"hidden: unit": "hidden: unit other[2]", "    up: seen": "    up unit: seen\n    ^up other[i]: own"},
        "the 2 weights of 'up other[i]: own', such as ffn.up.weight[other[0], own], can change no answer",
        id="hidden",
    ),
    Case(
        "dead-weight",
        {"hidden: unit": "hidden: unit[2]", "up: seen": "^up unit[i]: seen", "seen: unit": "seen: unit[0]"},
        "of the 2 weights of 'up unit[i]: seen' 1 can change no answer, such as ffn.up.weight[unit[1], seen]",
        id="half",
    ),
    Case(
        "dead-weight",
        {"own seen\n": "own seen spare\n", **step("position:", "  ^spare: pos")},
        "'spare: pos' of position can change no answer",
        id="position",
    ),
]
CASES = [*BREAKS, *SUBMISSION, *DISCLOSURE]


def found(spec: Spec, rules: str = "adderboard") -> list[tuple[str, str, str]]:
    """Of each finding its level, its code and `line:column`."""
    return [(one.severity, one.code, str(one.span).partition(":")[2]) for one in lint(spec, rules)]


def test_the_clean_spec_is_clean(tmp_path: Path) -> None:
    assert found(load_text(tmp_path, CLEAN)) == []


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_rule_finds_what_breaks_it(tmp_path: Path, case: Case) -> None:
    text, place = case.text()
    findings = lint(load_text(tmp_path, text), "adderboard")
    assert {one.code for one in findings} == {case.code, *case.also}
    (own, *more) = [one for one in findings if one.code == case.code]
    assert more == []
    assert str(own.span) == f"{tmp_path / 'small.yaml'}:{place}"
    assert case.says in own.message
    (rule,) = [rule for rule in LINT_RULES if rule.code == case.code]
    assert (own.severity, own.hint) == (rule.level, rule.fix)
    assert render(own).startswith(f"{own.span}: {rule.level}: {own.message}  [{case.code}]\n")


def test_every_rule_has_a_case() -> None:
    assert {case.code for case in CASES} == set(CODES)
    assert len(set(CODES)) == len(CODES)


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        (attention("score look: -1 * (query_pos - key_pos)"), set()),
        (attention("mask: none", "score look: where(key_pos > query_pos, -inf, 0)"), {"position-table"}),
        (step("position:", "  own: sin(pos)"), set()),
        (attention("scale: 1"), set()),
        (attention("mask: {window: 7}"), set()),
        (attention("softmax: hard", "ties: latest"), set()),
        ({"    query: 1\n    key look: own\n": "    softmax: hard\n    ties: latest\n"}, set()),
        (step("norm: {rms: 1e-5}"), set()),
        ({"answer: sum": "answer: 0 sum"}, set()),
        ({"[base]": "[base] <eos>", "sum": "sum <eos>", HEAD: f"{HEAD}\n    logits <eos>: own"}, set()),
        ({"count: {free: 10}": "claimed: {count: 3, note: by a rule of its own}"}, set()),
        ({"heads: look": "heads: look idle"}, set()),
        ({"  eval": "  verdict: proved\n  eval"}, set()),
        ({**attention("softmax: plus_one"), "value look: own": "value look: 1"}, set()),  # how much of the 1 is taken
        ({**parameter("p: 5\n  q: p + p", 11), **up("q * seen")}, set()),  # another parameter alone reads p
        ({"parameters:": "derived: {q: p + p}\nparameters:\n  p: 5", "free: 10": "free: 11", **up("q * seen")}, set()),
        (
            {**parameter("p: 5\n  q: p + p", 11), **step("position:", "  own: where(pos == 30, p, 0) + q")},
            {"learned-position", "position-table"},  # p acts through q
        ),
    ],
    ids=lambda value: " ".join(value.values())[:40] if isinstance(value, dict) else "",
)
def test_what_is_allowed(tmp_path: Path, changes: dict[str, str], codes: set[str]) -> None:
    text = CLEAN
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    assert {code for _, code, _ in found(load_text(tmp_path, text))} == codes


# The specs of the project

TINY95 = [
    ("disclose", "hard-coded", "21:20"),
    ("disclose", "hard-coded", "21:32"),
    ("disclose", "forced-token", "23:15"),
    ("disclose", "index-number", "28:5"),
    ("disclose", "index-number", "44:8"),
    ("disclose", "hard-coded", "44:27"),
    ("disclose", "mean", "49:3"),
    ("disclose", "argmin", "60:9"),
]


def test_tiny95() -> None:
    """No rule is broken; base, number of digits and the 0.5 of the centres are what `count` calls hard-coded."""
    findings = found(load(SPECS / "tiny95.yaml"))
    assert [one for one in findings if one[1] != "no-accuracy"] == TINY95


def test_a_variant_is_pointed_at_in_its_own_file_and_in_the_one_it_extends() -> None:
    own = [str(one.span) for one in lint(load(SPECS / "tiny95-exact.yaml"), "adderboard") if one.code != "no-accuracy"]
    assert own == [f"{SPECS / 'tiny95.yaml'}:{place}" for _, _, place in TINY95]


def test_qwen20() -> None:
    """All that enters weights are parameters and the exponent; the period of the rope is in no count."""
    findings = found(load(SPECS / "qwen20.yaml"))
    assert [one for one in findings if one[1] != "no-accuracy"] == [
        ("disclose", "beside-weights", "9:11"),
        ("disclose", "beside-weights", "11:10"),
        ("disclose", "beside-weights", "11:14"),
        ("disclose", "beside-weights", "27:32"),
        ("disclose", "hard-coded", "36:34"),
    ]


@pytest.mark.parametrize(
    ("rule", "codes"),
    [
        *((rule, {"beside-weights"}) for rule in ("dense", "dense_untied", "nonzero")),
        *((rule, {"hard-coded", "index-number"}) for rule in ("distinct", "values", "values_with_zero", "free")),
    ],
)
def test_what_stands_in_weights_is_counted_where_every_entry_is(tmp_path: Path, rule: str, codes: set[str]) -> None:
    text = CLEAN.replace("up: seen", "up: 2.5 * seen").replace('own: "t[d]"', 'own: "d * t[d]"')
    text = text.replace("heads: look", "heads: look\n    scale: 2.5 * 0 + base")
    number = count(load_text(tmp_path, text)).by_rule(rule)
    spec = load_text(tmp_path, text.replace("count: {free: 10}", f"claimed: {{count: {number}, rule: {rule}}}"))
    assert {code for _, code, _ in found(spec)} == codes | {"beside-weights"}


def test_reverse_is_no_entry() -> None:
    findings = found(load(SPECS / "reverse.yaml"))
    assert [one for one in findings if one[0] == "breaks"] == [
        ("breaks", "other-task", "9:3"),
        ("breaks", "not-generated", "11:22"),
        ("breaks", "later-tokens", "21:11"),
    ]
    assert {one[1] for one in findings if one[0] == "disclose"} == {"position-table", "beside-weights"}


def test_a_variant_with_other_digits_is_no_entry() -> None:
    """Its claims are about the spec as written, and are not held against it."""
    findings = found(load(SPECS / "tiny95.yaml", {"digits": 6}))
    assert [one for one in findings if one[0] == "breaks"] == [("breaks", "other-task", "21:3")]


@pytest.mark.parametrize("path", sorted((SPECS / "gallery").glob("*.yaml")), ids=lambda path: path.stem)
def test_no_published_model_breaks_a_rule(path: Path) -> None:
    assert [one for one in found(load(path)) if one[0] == "breaks"] == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SeuperHakkerJa_93p", {"soft-mask"}),
        ("alexlitz_36p", {"argmin", "forced-token", "mean"}),
        ("cosminscn_66p", {"position-table", "idle-parameter"}),
        ("fblissjr_33p", {"position-table"}),
        ("Wonderfall_27p", {"dead-weight"}),
        ("yieldthought_20p", set()),
    ],
)
def test_what_published_models_disclose_beside_numbers(name: str, expected: set[str]) -> None:
    """As their cards say: a finite mask, the lowest logit, amplitudes by position, a table of scores."""
    codes = {code for _, code, _ in found(load(SPECS / "gallery" / f"{name}.yaml"))}
    assert codes - {"hard-coded", "beside-weights", "index-number", "no-accuracy"} == expected


def test_the_numbers_that_a_published_count_leaves_out() -> None:
    """zcbtrak_6p: the board's footnote says 10, not 6, for the direction of queries and the weights of the head."""
    findings = lint(load(SPECS / "gallery" / "zcbtrak_6p.yaml"), "adderboard")
    places = [one.message for one in findings if one.code == "hard-coded"]
    assert any("attention.query.weight" in message for message in places)
    assert any("head.logits.weight" in message for message in places)


# Sets of rules


def test_sets() -> None:
    assert RULE_SETS["adderboard"].rules == LINT_RULES
    assert set(RULE_SETS[DEFAULT].rules) < set(LINT_RULES)
    assert all(rule.level == "disclose" for rule in RULE_SETS[DEFAULT].rules)
    for rule in LINT_RULES:
        assert rule.asks.endswith(".")
        assert "AdderBoard" in rule.source
        assert rule.fix


def test_the_default_set_finds_the_same_as_the_board_does_with_it() -> None:
    spec = load(SPECS / "tiny95.yaml")
    codes = {rule.code for rule in RULE_SETS[DEFAULT].rules}
    assert lint(spec) == tuple(one for one in lint(spec, "adderboard") if one.code in codes) != ()


def test_rules_can_be_left_out_by_the_caller() -> None:
    spec = load(SPECS / "tiny95.yaml")
    left = lint(spec, "adderboard", ignore=["hard-coded", "argmin"])
    assert left == tuple(one for one in lint(spec, "adderboard") if one.code not in ("hard-coded", "argmin"))


def test_a_spec_cannot_leave_out_a_rule_itself(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no warning is called 'argmin'"):
        load_text(tmp_path, CLEAN.replace("argmax", "argmin") + "ignore: argmin\n")


def test_unknown_sets_and_rules() -> None:
    spec = load(SPECS / "tiny95.yaml")
    with pytest.raises(SpecError, match="did you mean 'adderboard'"):
        lint(spec, "aderboard")
    with pytest.raises(SpecError, match="did you mean 'argmin'"):
        lint(spec, ignore=["argmn"])


def test_the_page_has_the_table_of_rules() -> None:
    page = (ROOT / "docs" / "lint.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (breaks|disclose) \| (.*) \|$", page, re.MULTILINE)
    assert rows == [(rule.code, rule.level, rule.asks) for rule in LINT_RULES]
    assert re.findall(r"^\| `([a-z]+)` \| [^|]* \|$", page, re.MULTILINE) == list(RULE_SETS)


def test_findings_of_one_line_come_by_name() -> None:
    """They are found in sets, whose order is another in each process."""
    found = [one for one in lint(load(ROOT / "specs" / "tasks" / "memory.yaml")) if one.code == "index-number"]
    lines = [(one.span.line if one.span else 0, one.message.split()[2]) for one in found]
    assert lines[:2] == [(lines[0][0], "a"), (lines[0][0], "v")]
