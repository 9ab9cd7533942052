"""`--set`: what a name means, what values become, and what cannot be set."""

from __future__ import annotations

import pytest

from compiler.language.overrides import as_settings, override
from compiler.pipeline import load
from compiler.source.diagnostics import Diagnostic, SpecError, render
from compiler.source.document import Mapping, Node, Scalar, as_data, parse_document
from compiler.source.text import Source
from tests.helpers import SPECS

TOP_LEVEL = ("weightspec", "name", "dtype", "constants", "parameters", "task", "network", "decode", "extends")
SPEC = """\
name: tiny
constants:
  half: base / 2
parameters:
  v_scale: 1e4
  w: [1, 2]
task:
  addition: {base: 10, digits: 6}
  prompt: a + b =
network:
  embedding:
    digit[d]: {digit: d}
    =: {special: 1, eq: 1}
  attention layer0:
    query: 1
    key count: special
  ffn layer0:
    up: 1
"""


def document() -> Mapping:
    read = parse_document(Source("spec.yaml", SPEC))
    assert isinstance(read, Mapping)
    return read


def at(node: Node, *path: str) -> Node | None:
    found: Node | None = node
    for key in path:
        assert isinstance(found, Mapping)
        found = found.get(key)
    return found


def errors(*settings: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        override(document(), settings, TOP_LEVEL)
    return caught.value.diagnostics


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("half=3", ("constants", "half"), 3),
        ("v_scale=1e8", ("parameters", "v_scale"), 1e8),
        ("v_scale = 1 / 3", ("parameters", "v_scale"), "1 / 3"),
        ("v_scale='7'", ("parameters", "v_scale"), "7"),
        ("w=[3, -4.5, half]", ("parameters", "w"), [3, -4.5, "half"]),
        ("digits=4", ("task", "addition", "digits"), 4),
        ("task.addition.base=2", ("task", "addition", "base"), 2),
        ("task.prompt=a b =", ("task", "prompt"), "a b ="),
        ("name=other", ("name",), "other"),
        ("dtype=float32", ("dtype",), "float32"),
        ("parameters.new=5", ("parameters", "new"), 5),
        ("layer0.attention.query=2", ("network", "attention layer0", "query"), 2),
        ("layer0.attention.key count=eq", ("network", "attention layer0", "key count"), "eq"),
        ("layer0.attention.softmax=standard", ("network", "attention layer0", "softmax"), "standard"),
        ("layer0.ffn.up=3", ("network", "ffn layer0", "up"), 3),
        ("network.ffn layer0.up=4", ("network", "ffn layer0", "up"), 4),
        ("embedding.=.special=2", ("network", "embedding", "=", "special"), 2),
        ("embedding.digit[d].digit=d * d", ("network", "embedding", "digit[d]", "digit"), "d * d"),
        ("embedding.digit[d]={digit: 1, eq: 2}", ("network", "embedding", "digit[d]"), {"digit": 1, "eq": 2}),
    ],
)
def test_a_setting_replaces_one_value(setting: str, path: tuple[str, ...], value: object) -> None:
    before = document()
    after = override(before, [setting], TOP_LEVEL)
    node = at(after, *path)
    assert node is not None
    assert as_data(node) == value
    inner = as_data(after)
    expected = as_data(before)
    for changed in (inner, expected):  # apart from that place nothing changes
        for key in path[:-1]:
            assert isinstance(changed, dict)
            changed = changed[key]
        assert isinstance(changed, dict)
        changed.pop(path[-1], None)
    assert inner == expected


@pytest.mark.parametrize(
    ("setting", "path"),
    [
        ("v_scale=null", ("parameters", "v_scale")),
        ("constants=~", ("constants",)),
        ("embedding.=.eq=null", ("network", "embedding", "=", "eq")),
        ("layer0.attention.key count=null", ("network", "attention layer0", "key count")),
    ],
)
def test_null_removes(setting: str, path: tuple[str, ...]) -> None:
    after = override(document(), [setting], TOP_LEVEL)
    parent = at(after, *path[:-1])
    assert isinstance(parent, Mapping)
    assert path[-1] not in parent.names


def test_removing_what_is_not_there_is_an_error() -> None:
    """As it is with `extends`: a misspelt removal must not look like a success."""
    (diagnostic,) = errors("layer0.attention.softmx=null")
    assert diagnostic.code == "unknown-name"


def test_settings_apply_in_order() -> None:
    after = override(document(), ["half=1", "half=2", "parameters.p=3", "p=4"], TOP_LEVEL)
    assert as_data(at(after, "constants", "half") or after) == 2
    assert as_data(at(after, "parameters", "p") or after) == 4


def test_places_are_in_the_text_of_the_argument() -> None:
    after = override(document(), ["layer0.attention.query=[1, x + bad]"], TOP_LEVEL)
    node = at(after, "network", "attention layer0", "query")
    assert node is not None
    assert node.span.source.text == "layer0.attention.query=[1, x + bad]"
    assert (str(node.span), node.span.text) == ("--set:1:24", "[1, x + bad]")
    step = at(after, "network", "attention layer0")
    assert isinstance(step, Mapping)
    key = step.key("query")
    assert key is not None
    assert (key.span.source.name, key.span.column, key.span.text) == ("--set", 1, "layer0.attention.query")


def test_a_part_of_a_value_has_its_place() -> None:
    value = at(override(document(), ["half='x + bad'"], TOP_LEVEL), "constants", "half")
    assert isinstance(value, Scalar)
    span = value.at(4, 7)
    assert (span.text, span.column) == ("bad", 11)


@pytest.mark.parametrize(
    ("setting", "code", "message", "marked"),
    [
        ("v_scal=3", "unknown-name", "nothing is named 'v_scal' in this spec; did you mean 'v_scale'?", "v_scal"),
        ("dgits=3", "unknown-name", "nothing is named 'dgits' in this spec; did you mean 'digits'?", "dgits"),
        (
            "layer1.attention.query=3",
            "unknown-name",
            "nothing is named 'layer1.attention.query' in this spec; did you mean 'layer0.attention'?",
            "layer1.attention.query",
        ),
        ("v_scale", "syntax", "expected name=value", "v_scale"),
    ],
)
def test_unknown_names_get_a_suggestion(setting: str, code: str, message: str, marked: str) -> None:
    (diagnostic,) = errors(setting)
    assert (diagnostic.code, diagnostic.message) == (code, message)
    assert diagnostic.span is not None
    assert (diagnostic.span.source.name, diagnostic.span.text) == ("--set", marked)


@pytest.mark.parametrize("setting", ["=", "=5", "v_scale.x=1", "v_scale.=1", "embedding.=1", "task.addition.x.y=1"])
def test_what_names_nothing_is_refused(setting: str) -> None:
    assert [diagnostic.code for diagnostic in errors(setting)] == ["unknown-name"]


def test_extends_cannot_be_set_and_is_not_suggested() -> None:
    (diagnostic,) = errors("extends=other.yaml")
    assert diagnostic.code == "bad-value"
    assert "did you mean 'extends'" not in diagnostic.message


def test_all_wrong_settings_are_reported_at_once() -> None:
    assert [d.span.text for d in errors("aaa=1", "half=2", "bbb=3") if d.span is not None] == ["aaa", "bbb"]


@pytest.mark.parametrize(
    ("setting", "code", "column"),
    [
        ("v_scale=[1, 2", "yaml-syntax", 14),
        ("v_scale=!!int 5", "yaml-tag", 9),
        ("v_scale={a: 1, a: 2}", "duplicate-key", 16),
        ("v_scale={a: , b: 1}", "empty-value", 10),
    ],
)
def test_a_value_that_is_no_yaml_shows_the_argument(setting: str, code: str, column: int) -> None:
    (diagnostic,) = errors(setting)
    assert diagnostic.code == code
    assert diagnostic.span is not None
    assert (diagnostic.span.source.name, diagnostic.span.column) == ("--set", column)
    assert setting in render(diagnostic)


def test_a_value_that_is_only_a_comment_is_not_an_empty_file() -> None:
    assert all("file" not in diagnostic.message for diagnostic in errors("v_scale=#5"))


def test_a_value_that_is_not_utf8_is_refused() -> None:
    assert [diagnostic.code for diagnostic in errors("v_scale=\udc80")] == ["not-text"]


def test_the_document_is_left_as_it_was() -> None:
    before = document()
    override(before, ["half=3", "w=null"], TOP_LEVEL)
    assert as_data(before) == as_data(document())


@pytest.mark.parametrize("value", [0.1, 1e-300, 5, -3.0, 2.0**-1074, True, [1, 0.1]])
def test_python_values_keep_every_bit(value: object) -> None:
    after = override(document(), as_settings({"v_scale": value}), TOP_LEVEL)
    node = at(after, "parameters", "v_scale")
    assert node is not None
    found = as_data(node)
    assert (found, type(found)) == (value, type(value))


def test_python_none_removes() -> None:
    parameters = at(override(document(), as_settings({"v_scale": None}), TOP_LEVEL), "parameters")
    assert isinstance(parameters, Mapping)
    assert parameters.names == ("w",)


def test_one_element_of_a_vector() -> None:
    numbers = load(SPECS / "qwen20.yaml", ["t[3]=2.5", "t[0]=unit"]).resolved.definitions["t"].numbers
    assert [number.value for number in numbers] == [1000.0, 1, 2, 2.5, 4, 5, 6, 7, 8, 9]
    with pytest.raises(SpecError) as caught:
        load(SPECS / "qwen20.yaml", ["t[10]=1"])
    assert [one.code for one in caught.value.diagnostics] == ["index-range"]


def test_a_whole_step_can_be_removed() -> None:
    spec = load(SPECS / "qwen20.yaml", {"ffn": None})
    assert [step.name for step in spec.network.steps] == ["embedding", "attention", "head"]


def test_an_infinity_from_python_is_one() -> None:
    assert as_settings({"a": float("inf"), "b": -float("inf"), "c": [1, 0.1]}) == ["a=.inf", "b=-.inf", "c=[1, 0.1]"]
