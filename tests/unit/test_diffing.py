"""Differences: what was written, which numbers changed, by what factor, and which name is the cause."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest

import compiler
from compiler.pipeline import Spec, load
from compiler.readers.diffing.differences import Difference, EntryChange
from compiler.readers.diffing.diffing import diff
from tests.helpers import DATA, SPECS, STEPS, load_text, small

TINY95 = SPECS / "tiny95.yaml"
EVERY_SPEC = sorted(path.name for path in SPECS.glob("*.yaml"))


def variant(**overrides: object) -> Difference:
    return compiler.diff(load(TINY95), load(TINY95, overrides))


def entries(difference: Difference) -> dict[tuple[str, str], EntryChange]:
    changes = [entry for group in difference.groups for entry in group.entries]
    found = {(entry.tensor, entry.label): entry for entry in changes}
    assert len(found) == len(changes)
    return found


def texts(difference: Difference) -> set[tuple[str, str, str | None, str | None]]:
    return {(change.section, change.path, change.before, change.after) for change in difference.texts}


@pytest.mark.parametrize("name", EVERY_SPEC)
def test_nothing_differs_from_itself(name: str) -> None:
    spec = load(SPECS / name)
    for other in (spec, load(SPECS / name)):
        difference = compiler.diff(spec, other)
        assert difference.empty
        assert (difference.texts, difference.shapes, difference.groups, difference.counts) == ((), (), (), ())


def test_a_copy_elsewhere_with_other_comments_is_the_same(tmp_path: Path) -> None:
    text = TINY95.read_text(encoding="utf-8").replace("parameters:", "\n\n# the author's numbers\nparameters:")
    assert compiler.diff(load(TINY95), load_text(tmp_path, text)).empty


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (load(TINY95), load(SPECS / "tiny95-exact.yaml")),
        (load(TINY95), load(TINY95, {"base": 5})),
        (load(TINY95), load(SPECS / "qwen20.yaml")),
    ],
    ids=lambda spec: spec.title,
)
def test_both_directions_say_the_same(first: Spec, second: Spec) -> None:
    there, back = compiler.diff(first, second), compiler.diff(second, first)
    assert not there.empty
    assert (there.before, there.after) == (back.after, back.before)
    assert {(section, path, after, before) for section, path, before, after in texts(there)} == texts(back)
    assert {(s.tensor, s.after, s.before) for s in there.shapes} == {(s.tensor, s.before, s.after) for s in back.shapes}
    assert {(c.rule, c.after, c.before) for c in there.counts} == {(c.rule, c.before, c.after) for c in back.counts}
    mine, yours = entries(there), entries(back)
    assert mine.keys() == yours.keys()
    for place, entry in mine.items():
        assert (entry.before, entry.after, entry.causes) == (
            yours[place].after,
            yours[place].before,
            yours[place].causes,
        )


def test_one_parameter_is_one_cause() -> None:
    difference = variant(v_scale=1e8)
    assert texts(difference) == {("parameter", "v_scale", "1e4", "100000000.0")}
    assert (difference.shapes, difference.counts) == ((), ())
    (group,) = difference.groups
    assert (group.causes, group.ratio, len(group.entries)) == (("v_scale",), 10000.0, 20)
    gate = entries(difference)["layer1.ffn.gate.weight", "below[3], candidate[3]"]
    assert (gate.before, gate.after, gate.ratio, gate.causes) == (-1e4, -1e8, 1e4, ("v_scale",))
    (change,) = difference.texts
    assert change.span_before is not None
    assert change.span_after is not None
    lines = TINY95.read_text(encoding="utf-8").splitlines()
    assert lines[change.span_before.line - 1].split(":")[0].strip() == "v_scale"
    assert change.span_after.source.name == "--set"


def test_digits_change_numbers_but_no_shape() -> None:
    difference = variant(digits=8)
    assert texts(difference) == {("size", "digits", "10", "8")}
    assert difference.shapes == ()
    found = entries(difference)
    # up of layer 0 is digit_scale times something: 10 candidates and place
    assert {tensor for tensor, _ in found} == {"layer0.ffn.up.weight"}
    assert len(found) == 11
    assert {entry.causes for entry in found.values()} == {("digits",)}
    assert {entry.ratio for entry in found.values()} == {0.01}
    assert found["layer0.ffn.up.weight", "place, count"].after == 1e8


def test_base_changes_shapes_and_many_entries_by_many_factors() -> None:
    difference = variant(base=5)
    assert texts(difference) == {("size", "base", "10", "5")}
    shapes = {shape.tensor: (shape.before, shape.after) for shape in difference.shapes}
    assert shapes["embedding.weight"] == ((14, 5), (9, 5))
    assert shapes["layer1.ffn.down.weight"] == ((10, 20), (5, 10))
    assert "layer0.attention.query.weight" not in shapes
    found = entries(difference)
    changed = found["embedding.weight", "digit[2], digit"]
    assert (changed.before, changed.after, changed.ratio) == (20, 10, 0.5)
    removed = found["embedding.weight", "digit[7], digit"]
    assert (removed.before, removed.after, removed.ratio) == (70, None, None)
    assert found["layer0.attention.value.weight", "count, eq"].causes == ("base",)
    assert ("embedding.weight", "=, eq") not in found
    back = entries(compiler.diff(load(TINY95, {"base": 5}), load(TINY95)))
    assert back["embedding.weight", "digit[7], digit"].before is None
    assert {change.rule for change in difference.counts} >= {"dense", "nonzero", "distinct"}
    for change in difference.counts:
        assert change.before != change.after


def test_a_table_of_scores_is_compared_too() -> None:
    """alibi_base enters no stored weight, and changes what the model does all the same."""
    difference = variant(alibi_base=9)
    assert texts(difference) == {("constant", "alibi_base", "base", "9")}
    found = entries(difference)
    assert {tensor for tensor, _ in found} == {"layer0.attention.score count"}
    assert {entry.causes for entry in found.values()} == {("alibi_base",)}
    assert len(found) == 35 * 34 / 2  # each earlier key
    one = found["layer0.attention.score count", "query_pos 3, key_pos 1"]
    assert one.before == pytest.approx(-2 * 2.302585092994046, rel=1e-15)
    assert one.after == pytest.approx(-2 * 2.1972245773362196, rel=1e-15)


def test_a_rope_frequency_names_its_cause() -> None:
    path = SPECS / "qwen20.yaml"
    found = entries(compiler.diff(load(path), load(path, {"omega": 0.3})))
    rope = found["attention.rope", "pair 0"]
    assert rope.after == pytest.approx(0.3)
    assert rope.causes == ("omega",)


BASE = """
embedding:
  digit[d]: {x: 2 * d, y: 1}
attention:
  heads: a
  query a: x
  value a: 3 * x
  output y: a
ffn:
  hidden: u
  up u: x
  down z: 4 * u
"""


def edited(folder: Path, old: str, new: str, count: int = 1) -> Difference:
    assert BASE.count(old) == count
    after = load_text(folder, small(BASE.replace(old, new)), name="after")
    return compiler.diff(load_text(folder, small(BASE)), after)


def test_an_equation_that_says_something_else(tmp_path: Path) -> None:
    difference = edited(tmp_path, "3 * x", "x / 4 + y")
    assert texts(difference) == {("equation", "attention / value a", "3 * x", "x / 4 + y")}
    found = entries(difference)
    assert found.keys() == {("attention.value.weight", "a, x"), ("attention.value.weight", "a, y")}
    assert (found["attention.value.weight", "a, x"].before, found["attention.value.weight", "a, x"].after) == (3, 0.25)
    added = found["attention.value.weight", "a, y"]
    assert (added.before, added.after, added.ratio, added.causes) == (None, 1, None, ())
    assert [(change.rule, change.before, change.after) for change in difference.counts] == [
        ("nonzero", 12, 13),
        ("distinct", 9, 10),
    ]


def test_an_equation_written_another_way(tmp_path: Path) -> None:
    difference = edited(tmp_path, "3 * x", "x * 3")
    assert texts(difference) == {("equation", "attention / value a", "3 * x", "x * 3")}
    assert (difference.groups, difference.shapes, difference.counts) == ((), (), ())
    assert not difference.empty


def test_a_row_of_the_embedding(tmp_path: Path) -> None:
    difference = edited(tmp_path, "{x: 2 * d, y: 1}", "{x: 2 * d}")
    assert texts(difference) == {("equation", "embedding / digit[d] / y", "1", None)}
    assert {label: entry.after for (_, label), entry in entries(difference).items()} == {
        f"digit[{d}], y": None for d in range(4)
    }


def test_a_step_added_or_removed(tmp_path: Path) -> None:
    ffn = BASE[BASE.index("ffn:") :]
    removed = edited(tmp_path, ffn, "")
    assert texts(removed) == {
        ("step", "ffn", "present", None),
        ("option", "ffn / hidden", "u", None),
        ("equation", "ffn / up u", "x", None),
        ("equation", "ffn / down z", "4 * u", None),
    }
    assert {shape.tensor: (shape.before, shape.after) for shape in removed.shapes} == {
        "ffn.up.weight": ((1, 3), None),
        "ffn.down.weight": ((3, 1), None),
    }
    assert {place: entry.after for place, entry in entries(removed).items()} == {
        ("ffn.up.weight", "u, x"): None,
        ("ffn.down.weight", "z, u"): None,
    }
    after = load_text(tmp_path, small(BASE.replace(ffn, "")), name="after")
    added = compiler.diff(after, load_text(tmp_path, small(BASE)))
    assert texts(added) == {(section, path, None, text) for section, path, text, _ in texts(removed)}
    assert added.shapes[0].before is None


def test_steps_in_another_order(tmp_path: Path) -> None:
    ffn = BASE[BASE.index("ffn:") :]
    attention = BASE[BASE.index("attention:") : BASE.index("ffn:")]
    difference = edited(tmp_path, attention + ffn, ffn + attention)
    assert [(change.path, change.after) for change in difference.texts] == [("order", "embedding → ffn → attention")]
    assert (difference.groups, difference.shapes) == ((), ())


@pytest.mark.parametrize(
    "option",
    [
        *("softmax: plus_one", "softmax: hard", "scale: 3", "mask: none"),
        *("norm: rms", "biases: key", "score a: 0 * key_pos"),
    ],
)
def test_an_option_of_a_step(tmp_path: Path, option: str) -> None:
    name, _, value = option.partition(": ")
    difference = edited(tmp_path, "heads: a", f"heads: a\n  {option}")
    section = "equation" if name == "score a" else "option"
    assert texts(difference) == {(section, f"attention / {name}", None, value)}
    assert not difference.empty


def test_ties_and_windows(tmp_path: Path) -> None:
    first = load_text(tmp_path, small(BASE.replace("heads: a", "heads: a\n  softmax: hard\n  mask: {window: 2}")))
    settings = {"attention.ties": "latest", "attention.mask.window": "3"}
    options = {("attention / ties", None, "latest"), ("attention / mask / window", "2", "3")}
    difference = compiler.diff(first, load(first.path, settings))
    assert texts(difference) == {("option", *option) for option in options}
    assert not difference.empty


def test_options_at_the_top(tmp_path: Path) -> None:
    first = load_text(tmp_path, small(BASE))
    assert texts(compiler.diff(first, load(first.path, {"decode": "argmin"}))) == {
        ("spec", "decode", "argmax", "argmin")
    }
    assert texts(compiler.diff(first, load(first.path, {"defaults": "{activation: gelu}"}))) != set()
    moved = compiler.diff(first, load(first.path, {"task.order": "least_significant_first"}))
    assert texts(moved) == {("spec", "task.order", None, "least_significant_first")}


def test_a_derived_value_is_traced_to_what_was_written() -> None:
    """digits changes digit_scale, whose own text stays as it is: the cause is what somebody wrote."""
    path = SPECS / "qwen20.yaml"
    difference = compiler.diff(load(path), load(path, {"copy": 0.5}))
    assert texts(difference) == {("parameter", "copy", "100 / (256 / sqrt(2))", "0.5")}
    found = entries(difference)
    assert {tensor for tensor, _ in found} == {"attention.value.weight", "attention.output.weight"}
    assert {entry.causes for entry in found.values()} == {("copy",)}


EVERY_STEP = DATA / "every_step.yaml"


@pytest.mark.parametrize(
    ("setting", "path", "before", "after"),
    [
        ("task.order=least_significant_first", "task.order", "{'answer': 'least_significant_first'}", None),
        ("task.order.answer=most_significant_first", "task.order / answer", "least_significant_first", None),
        ("mix=again - layer0.attention", "mix", "rho * layer0.attention + (again - pre.scale) / 2", None),
        ("again.repeat=layer0.ffn", "repeat again", "layer0.attention", None),
        ("layer0.attention.let.two=3", "attention layer0 / let / two", "2", None),
        ("position.a[0]=pos", "position / a[0]", "100 * sin(omega * pos)", None),
        ("embedding=2 * E", "embedding", "E", None),
        ("context=40", "context", "30", None),
    ],
)
def test_what_is_written_anew_is_named(setting: str, path: str, before: str, after: str | None) -> None:
    texts = diff(load(EVERY_STEP), load(EVERY_STEP, [setting])).texts
    assert [(one.path, one.before) for one in texts] == [(path, before)]
    assert texts[0].after == (after or setting.partition("=")[2])


def test_tasks_of_other_kinds_differ() -> None:
    texts = diff(load(SPECS / "reverse.yaml"), load(SPECS / "qwen20.yaml")).texts
    assert ("task", "reverse", "addition") in [(one.path, one.before, one.after) for one in texts]


def test_a_mask_takes_scores_away() -> None:
    changed = diff(load(EVERY_STEP), load(EVERY_STEP, ["layer0.attention.mask=causal"]))
    entries = [entry for group in changed.groups for entry in group.entries]
    gone = {entry.tensor for entry in entries if entry.after is None}
    assert gone == {"layer0.attention.mask", *(f"layer0.attention.score h[{head}]" for head in (1, 2, 3))}
    assert all(entry.after is None for entry in entries)


def pair(
    folder: Path, before: str, after: str, definitions: tuple[str, str] = ("", ""), dtype: str = "float64"
) -> Difference:
    sides = [
        small(text, definitions=more, dtype=dtype) for text, more in zip((before, after), definitions, strict=True)
    ]
    return diff(load_text(folder, sides[0], name="before"), load_text(folder, sides[1], name="after"))


def names(difference: Difference) -> set[tuple[str, str, str]]:
    return {(match.kind, match.before, match.after) for match in difference.names}


SCALED = """
embedding:
  digit[d]: {x: d, y: 1}
scale: k
"""


@pytest.mark.parametrize(
    ("before", "after", "moved", "alike"),
    [
        ("constants: {k: 3}", "parameters: {k: 3}", ("constant", "parameter", "3", "3"), ()),
        ("parameters: {k: 3}", "constants: {k: 4}", ("parameter", "constant", "3", "4"), None),
    ],
)
def test_a_number_that_moves_to_another_section(
    tmp_path: Path, before: str, after: str, moved: tuple[str, ...], alike: object
) -> None:
    difference = pair(tmp_path, SCALED, SCALED, (before, after))
    (change,) = difference.texts
    assert (change.section_before, change.section, change.before, change.after) == moved
    assert (change.path, difference.alike) == ("k", alike)
    assert {change.rule for change in difference.counts} >= {"free", "hard_coded"}


TWO_MAPS = """
embedding:
  digit[d]: {{x: d, y: 1}}
attention:
  heads: a
  head_dim: 2
  value_dim: 1
  query: {query}
  key: {key}
  value: "[[1, 0, 0]]"
  output: "[[0], [1], [0]]"
"""
FACTORS = "parameters: {q: [[1], [2]], k: [[3], [4]], r: [[1, 0, 1]]}"
Q, K = '"[[1, 0, 1], [2, 0, 2]]"', '"[[3, 0, 3], [4, 0, 4]]"'
KEY, QUERY, INNER = "attention.key.weight", "attention.query.weight", "attention.query.inner.weight"


@pytest.mark.parametrize(
    ("before", "after", "ties", "changed", "alike"),
    [
        (("q @ r", "k @ r"), ("q @ r", "query"), {KEY: (None, QUERY)}, {KEY: 2}, None),
        (("q @ r", "query"), ("q @ r", "k @ r"), {KEY: (QUERY, None)}, {KEY: 2}, None),
        ((Q, Q), (Q, "query"), {KEY: (None, QUERY)}, {}, ("apart from ties",)),
        ((Q, K), (Q, "query"), {KEY: (None, QUERY)}, {KEY: 4}, None),
        ((Q, "query"), (K, "query"), {}, {QUERY: 4}, None),
    ],
)
def test_a_tie_is_no_removal(
    tmp_path: Path,
    before: tuple[str, str],
    after: tuple[str, str],
    ties: dict[str, tuple[str | None, str | None]],
    changed: dict[str, int],
    alike: object,
) -> None:
    """A tensor that is tied now is still there, and its numbers are compared through the tie."""
    texts = [TWO_MAPS.format(query=query, key=key) for query, key in (before, after)]
    difference = pair(tmp_path, texts[0], texts[1], (FACTORS, FACTORS))
    assert {tie.tensor: (tie.before, tie.after) for tie in difference.ties} == ties
    found = entries(difference)
    assert {name: sum(tensor == name for tensor, _ in found) for name, _ in found} == changed
    assert all(None not in (entry.before, entry.after) for entry in found.values())
    assert (difference.shapes, difference.alike) == ((), alike)


@pytest.mark.parametrize(
    ("before", "after", "equal", "alike"),
    [
        (("q @ r", "k @ r"), (Q, K), [True, True], ("multiplied out",)),
        ((Q, K), ("q @ r", "k @ r"), [True, True], ("multiplied out",)),
        (("q @ r", Q), (Q, Q), [True], ("multiplied out",)),
        (("q @ r", Q), (K, Q), [False], None),
        (("q @ r", "query"), (Q, "query"), [True], ("multiplied out",)),
        (("q @ r", Q), ('"[[2], [4]] @ [[0.5, 0, 0.5]]"', Q), [True], ("multiplied out",)),
        (("q @ r", Q), ('"[[2], [4]] @ [[1, 0, 1]]"', Q), [], None),
        (("q @ r", Q), ('"[[1], [2]] @ [[1]] @ [[1, 0, 1]]"', Q), [True], ("multiplied out",)),
    ],
)
def test_factors_against_their_product(
    tmp_path: Path, before: tuple[str, str], after: tuple[str, str], equal: list[bool], alike: object
) -> None:
    texts = [TWO_MAPS.format(query=query, key=key) for query, key in (before, after)]
    difference = pair(tmp_path, texts[0], texts[1], (FACTORS, FACTORS))
    assert [product.equal for product in difference.products] == equal
    assert not difference.empty
    assert difference.alike == alike


def test_products_that_differ_are_compared_place_by_place(tmp_path: Path) -> None:
    texts = [TWO_MAPS.format(query=query, key=Q) for query in ("q @ r", '"[[1, 0, 1], [2, 0, 3]]"')]
    found = entries(pair(tmp_path, texts[0], texts[1], (FACTORS, FACTORS)))
    assert {(label, entry.before, entry.after) for (_, label), entry in found.items()} == {("a[1], z", 2, 3)}


def test_an_embedding_of_factors_is_its_product(tmp_path: Path) -> None:
    six = "[[1, 0], [1, 1], [1, 2], [1, 2], [1, 2], [1, 2]]"
    more = "head:\n  logits: embedding\n"
    factors = f"embedding: '{six} @ [[5, 0, 5], [0, 7, 0]]'\n{more}"
    difference = pair(tmp_path, factors, f"embedding: '1 * ({six} @ [[5, 0, 5], [0, 7, 0]])'\n{more}")
    assert {product.equal for product in difference.products} == {True}
    assert difference.alike == ("multiplied out",)
    assert (difference.groups, difference.ties) == ((), ())


RENAMED = {
    "layer0": "first", "layer1": "second", "eq": "is_eq", "special": "mark", "count": "place_value", "scale": "gauge",
    "candidate": "guess", "place": "digit_place", "above": "over", "below": "under", "total": "mean", "logit": "out",
    "k_digit": "kd", "k_special": "ks", "v_scale": "vs", "final_scale": "fs", "tie_break": "tb", "alibi_base": "ab",
    "digit_scale": "ds",
}  # fmt: skip


def renamed_tiny95() -> str:
    """tiny95 with another name for all that has one, apart from tokens."""
    head, body = TINY95.read_text(encoding="utf-8").split("dtype:")
    body, expectations = body.split("expect:")
    body = re.sub(r"\w+", lambda word: RENAMED.get(word[0], word[0]), body)
    return f"{head}dtype:{body}expect:{expectations}"


def test_a_renamed_copy_is_equal_up_to_names(tmp_path: Path) -> None:
    difference = diff(load(TINY95), load_text(tmp_path, renamed_tiny95(), name="renamed"))
    assert difference.alike == ("up to names",)
    assert (difference.texts, difference.shapes, difference.groups, difference.counts) == ((), (), (), ())
    assert not difference.empty
    assert names(difference) >= {
        ("step", "layer0.attention", "first.attention"),
        ("dimension", "candidate", "guess"),
        ("head", "count", "place_value"),
        ("unit", "above", "over"),
        ("constant", "digit_scale", "ds"),
        ("parameter", "v_scale", "vs"),
    }
    back = diff(load(tmp_path / "renamed.yaml"), load(TINY95))
    assert names(back) == {(kind, after, before) for kind, before, after in names(difference)}


@pytest.mark.parametrize(
    ("old", "new", "text", "place", "values", "cause"),
    [
        ("vs: 1e4", "vs: 20000", ("parameter", "vs", "1e4", "20000"), None, (1e4, 2e4), ("vs",)),
        ("fs * digit_place + tb", "fs * digit_place + 16", None, ("second.attention.value.bias", "mean"), (15, 16), ()),
    ],
)
def test_a_renamed_copy_with_a_change_differs_there_alone(
    tmp_path: Path,
    old: str,
    new: str,
    text: tuple[str, str, str, str] | None,
    place: tuple[str, str] | None,
    values: tuple[float, float],
    cause: tuple[str, ...],
) -> None:
    assert renamed_tiny95().count(old) == 1
    difference = diff(load(TINY95), load_text(tmp_path, renamed_tiny95().replace(old, new), name="renamed"))
    assert difference.alike is None
    assert len(difference.texts) == 1
    assert text is None or texts(difference) == {text}
    found = entries(difference)
    assert place is None or found.keys() == {place}
    assert {(abs(entry.before or 0), abs(entry.after or 0), entry.causes) for entry in found.values()} == {
        (*values, cause)
    }


def test_names_that_are_swapped_are_matched_by_place(tmp_path: Path) -> None:
    swapped = re.sub(r"\b[xy]\b", lambda name: {"x": "y", "y": "x"}[name[0]], BASE)
    before = load_text(tmp_path, small(BASE), name="before")
    assert diff(before, load_text(tmp_path, small(swapped), name="moved")).alike is None  # x is still the first
    difference = diff(before, load_text(tmp_path, small(swapped, stream="y x z"), name="swapped"))
    assert difference.alike == ("up to names",)
    assert names(difference) == {("dimension", "x", "y"), ("dimension", "y", "x")}


def test_an_order_of_its_own_is_no_renaming(tmp_path: Path) -> None:
    """Names that both have are matched by name, though the place is another one."""
    after = load_text(tmp_path, small(BASE, stream="y z x"), name="after")
    difference = diff(load_text(tmp_path, small(BASE), name="before"), after)
    assert texts(difference) == {("spec", "stream", "x y z", "y z x")}
    assert (difference.groups, difference.names, difference.alike) == ((), (), None)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_weights_that_are_neighbours_are_one_ulp_apart(tmp_path: Path, dtype: str) -> None:
    bits = {"float64": 52, "float32": 23, "bfloat16": 7, "float16": 10}[dtype]
    difference = pair(
        tmp_path, SCALED, SCALED, ("parameters: {k: 3}", f"parameters: {{k: 3 + 2 ** {1 - bits}}}"), dtype
    )
    assert {entry.ulps for entry in entries(difference).values()} == {1}


SCORED = """
embedding:
  digit[d]: {x: d}
attention:
  heads: a
  query a: x
  key a: x
  value a: x
  score a: FORMULA
  output y: a
"""


@pytest.mark.parametrize(
    ("first", "second", "listed", "alike"),
    [
        ("key_pos - query_pos", "-(query_pos - key_pos)", False, ()),
        ("key_pos - query_pos", "where(key_pos > 3, 1, key_pos - query_pos)", True, None),
        ("key_pos - query_pos", "where(key_pos > 70, 1, key_pos - query_pos)", False, None),
    ],
)
def test_scores_are_compared_on_the_whole_context(
    tmp_path: Path, first: str, second: str, listed: bool, alike: object
) -> None:
    """The first 64 positions are listed; nothing is called the same that differs later."""
    sides = [
        load_text(tmp_path, small(SCORED.replace("FORMULA", formula)) + "context: 80\n", name=f"side{place}")
        for place, formula in enumerate((first, second))
    ]
    difference = diff(sides[0], sides[1])
    assert (bool(difference.groups), difference.alike, len(difference.texts)) == (listed, alike, 1)


@pytest.mark.parametrize("path", sorted(STEPS.glob("*.yaml")), ids=lambda path: path.stem)
def test_nothing_of_any_step_differs_from_itself(path: Path) -> None:
    difference = diff(load(path), load(path))
    assert (difference.empty, difference.alike) == (True, ())


SYMMETRIC = ("mix", "variant", "ties", "low-rank", "head-tied", "kv-shared", "repeat", "norm-rms")


@pytest.mark.parametrize(("first", "second"), list(combinations(SYMMETRIC, 2)), ids="-".join)
def test_both_directions_find_as_much(first: str, second: str) -> None:
    sides = load(STEPS / f"{first}.yaml"), load(STEPS / f"{second}.yaml")
    there, back = diff(sides[0], sides[1]), diff(sides[1], sides[0])
    assert names(there) == {(kind, after, before) for kind, before, after in names(back)}
    found = [sorted(str((entry.before, entry.after)) for entry in entries(one).values()) for one in (there,)]
    found += [sorted(str((entry.after, entry.before)) for entry in entries(one).values()) for one in (back,)]
    assert found[0] == found[1]
    assert [len(one) for one in (there.texts, there.shapes, there.ties, there.products)] == [
        len(one) for one in (back.texts, back.shapes, back.ties, back.products)
    ]
