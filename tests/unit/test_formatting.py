"""Canonical form: texts before and after, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.expressions.spacing import spaced
from compiler.readers.formatting import formatting
from compiler.readers.formatting.formatting import format_source
from compiler.readers.formatting.yaml_layout import LaidOut
from compiler.source.diagnostics import SpecError
from compiler.source.document import Node, parse_document
from compiler.source.limits import MAX_FILE_BYTES
from compiler.source.text import Source

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "specs").glob("*.yaml"))


def formatted(text: str) -> str:
    """The canonical form, which has to be its own canonical form."""
    once = format_source(Source("spec.yaml", text))
    assert format_source(Source("spec.yaml", once)) == once
    return once


TEMPLATES = sorted((ROOT / "compiler" / "commands" / "templates").glob("*.yaml"))


@pytest.mark.parametrize("path", [*SPECS, *TEMPLATES], ids=str)
def test_shipped_specs_are_formatted(path: Path) -> None:
    text = path.read_bytes().decode()
    assert formatted(text) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a+b", "a + b"),
        ("a  +\tb", "a + b"),
        (" a+b ", "a + b"),
        ("a*b/c//d%e**f@g", "a * b / c // d % e ** f @ g"),
        ("a<b", "a < b"),
        ("a<=b", "a <= b"),
        ("a>b and c>=d or not e==f", "a > b and c >= d or not e == f"),
        ("(a)and(b)or not(c!=d)", "(a) and (b) or not (c != d)"),
        ("- x", "-x"),
        ("a*- b", "a * -b"),
        ("a-- b", "a - -b"),
        ("-(-x)**-2", "-(-x) ** -2"),
        ("+ +x", "++x"),
        ("[- 1,+ 2]", "[-1, +2]"),
        ("( a ) [ 0 ]", "(a)[0]"),
        ("w [ i,j ]", "w[i, j]"),
        ("f ( x ,y, )", "f(x, y,)"),
        ("where(i<1,[ 1 ],[ ])", "where(i < 1, [1], [])"),
        ("A .T@ B.T", "A.T @ B.T"),
        ("A.T[0]-A.T*-B.T", "A.T[0] - A.T * -B.T"),
        ("1e-5-1.E+3*.5", "1e-5 - 1.E+3 * .5"),
        ("android+nothing", "android + nothing"),
    ],
)
def test_spaces_in_expressions(before: str, after: str) -> None:
    assert spaced(before) == after
    assert spaced(after) == after


@pytest.mark.parametrize("text", ["", "  ", "a ^ b", "a.b", "A.Tail", "a: b", "√2"])
def test_what_is_no_token(text: str) -> None:
    assert spaced(text) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # layout
        ("a:   1", "a: 1\n"),
        ("a : 1\n", "a: 1\n"),
        ("\n\n\na: 1\n\n\n\nb: 2\n\n\n", "a: 1\n\nb: 2\n"),
        ("a: 1   \nb: 2\t\n", "a: 1\nb: 2\n"),
        ("a: 1\r\nb: 2\r\n", "a: 1\nb: 2\n"),
        ("   a: 1\n   b: 2\n", "a: 1\nb: 2\n"),
        ("a:\n c:\n     d: 1\n b: 2\n", "a:\n  c:\n    d: 1\n  b: 2\n"),
        ("a:\n    value\n", "a:\n  value\n"),
        ("a: {x:   1,y : 2 ,  'z':3}", "a: {x: 1, y: 2, 'z': 3}\n"),
        ('a: {"x":1}', 'a: {"x": 1}\n'),
        ("a: [ 1,2 , [ ] , { } ]", "a: [1, 2, [], {}]\n"),
        ("a: [1,2,]", "a: [1, 2,]\n"),
        ("a:\n- 1\n-   2\nb: 3", "a:\n  - 1\n  - 2\nb: 3\n"),
        ("a:\n    - 1\n    - x: 1\n      y: 2\n", "a:\n  - 1\n  - x: 1\n    y: 2\n"),
        ("a:\n-  - 1\n   - 2\n-\n    3\n", "a:\n  - - 1\n    - 2\n  -\n    3\n"),
        ("a:\n- - 1\n  -\n    - b\n- c\n", "a:\n  - - 1\n    -\n      - b\n  - c\n"),
        ("---\na: 1\n...\n", "---\na: 1\n...\n"),
        ("%YAML 1.2\n---\na:  1\n", "%YAML 1.2\n---\na: 1\n"),
        # brackets over several lines
        ("m: [[1,0],\n [0,1]]", "m: [[1, 0],\n    [0, 1]]\n"),
        ("m: [\n 1,\n     2\n]", "m: [\n  1,\n  2]\n"),
        ("m: {\n a: [\n 1 ]\n , b: 2 }", "m: {\n  a: [\n    1], b: 2}\n"),
        ("m: [ 1, # one\n 2 # two\n]", "m: [1,  # one\n    2  # two\n    ]\n"),
        ("m: [\n\n\n  # first\n  1]", "m: [\n\n  # first\n  1]\n"),
        # comments
        ("a: 1 # one", "a: 1  # one\n"),
        ("a: 1      # one\nbcd: 2    #two  \n", "a: 1  # one\nbcd: 2  #two\n"),
        ("   # head\na: 1\n  # tail\n", "# head\na: 1\n# tail\n"),
        ("a: # of a\n# of b\n    b: 1", "a:  # of a\n  # of b\n  b: 1\n"),
        ("a:\n    b: 1\n    # in a\n# of c\nc: 2", "a:\n  b: 1\n  # in a\n# of c\nc: 2\n"),
        ("a:\n  b:\n    c: 1\n   # in a\n", "a:\n  b:\n    c: 1\n  # in a\n"),
        ("a:\n - 1\n # in a\n - 2\n # last\nb: 1", "a:\n  - 1\n  # in a\n  - 2\n  # last\nb: 1\n"),
        ("a: 1\n\n\n# x\n\n\n# y\nb: 2", "a: 1\n\n# x\n\n# y\nb: 2\n"),
        ("a: '# no' # yes", "a: '# no'  # yes\n"),
        ("a: b#c", "a: b#c\n"),
        # scalars over several lines
        ("a: one\n     two  \n\n\n   three", "a: one\n  two\n\n\n  three\n"),
        ("a: 'one\n two  '", "a: 'one\n  two  '\n"),
        ('a: "one \\\n       two"', 'a: "one \\\n  two"\n'),
        ('a: "one\\ \n       two"', 'a: "one\\ \n       two"\n'),
        ("a: >-   # folded\n      one\n        two\n\n\n\nb: 1", "a: >-  # folded\n  one\n    two\n\nb: 1\n"),
        ("a: |2\n    one\n   two\nb: 1", "a: |2\n    one\n   two\nb: 1\n"),
        ("a:\n     b: |1\n        one\n     c: 1", "a:\n  b: |1\n     one\n  c: 1\n"),
        ("a: |+\n one\n\n\nb:  1", "a: |+\n  one\n\n\nb: 1\n"),
        ("a: |+\n one\n\n\n", "a: |+\n  one\n\n\n"),
        ("a: |\n one", "a: |\n  one"),
        ("a: |-\n one", "a: |-\n  one\n"),
        ("a: |\n one  \n   \n two", "a: |\n  one  \n    \n  two"),
        ("a:\n - |\n  one\n - 2", "a:\n  - |\n    one\n  - 2\n"),
        # anchors
        ("a: &x   1\nb:   *x\nc: &y\n - *x", "a: &x 1\nb: *x\nc: &y\n  - *x\n"),
        ("a: &x   b\n*x  : &y {c: 1}", "a: &x b\n*x : &y {c: 1}\n"),
    ],
)
def test_layout(before: str, after: str) -> None:
    assert formatted(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "constants: {a: 1+2, b: 'x*y', c: \"f( x )\", d: [a/b, 2]}",
            "constants: {a: 1 + 2, b: 'x * y', c: \"f(x)\", d: [a / b, 2]}",
        ),
        ("parameters:\n  m:\n  - [a*b, 1]", "parameters:\n  m:\n    - [a * b, 1]"),
        ("constants: {a: 'one\n  +two'}", "constants: {a: 'one\n            +two'}"),
        ("vocabulary: digit[base]  <bos>   a+b   +", "vocabulary: digit[base] <bos> a+b +"),
        ("stream: eq  c[ base,2*k ]   x", "stream: eq c[base, 2 * k] x"),
        ("stream: [ eq,'c[ base ]',' x' ]", "stream: [eq, 'c[base]', ' x']"),
        (
            "task:\n  addition: {base: 5+5, digits: n}\n  prompt: a+b   0*9 =",
            "task:\n  addition: {base: 5 + 5, digits: n}\n  prompt: a+b   0*9 =",
        ),
        (
            "task:\n  given: {a: digit * (digits+1), b: bit*2*n, c:  bit}\n  answers: {d: digit*( 2*n )}",
            "task:\n  given: {a: digit*(digits + 1), b: bit*2*n, c: bit}\n  answers: {d: digit*(2 * n)}",
        ),
        (
            "task:\n  alphabets: {a: 'digit[d<2]   +', b: {size: n-1}}\n  numbers: a  b\n  shown: a  +  b",
            "task:\n  alphabets: {a: 'digit[d < 2] +', b: {size: n - 1}}\n  numbers: a b\n  shown: a + b",
        ),
        (
            "task:\n  equations: {'x[ i<3 ]': i+1, number( sum ): number(a)+1}",
            "task:\n  equations: {'x[i < 3]': i + 1, number(sum): number(a) + 1}",
        ),
        (
            "task:\n  columns: {state: {c: {size: 1+1}}, let: {t: a+c}, next  c: t//2, end: {only: c==0}}",
            "task:\n  columns: {state: {c: {size: 1 + 1}}, let: {t: a + c}, next c: t // 2, end: {only: c == 0}}",
        ),
        (
            "task:\n  suites: {hard: {only: a>b, size: 2**4}}\n  answer: {next: a, from: 1+1}\n  window: 2*n",
            "task:\n  suites: {hard: {only: a > b, size: 2 ** 4}}\n  answer: {next: a, from: 1 + 1}\n  window: 2 * n",
        ),
        ("given: {a: digit*n}\nonly: a>b", "given: {a: digit*n}\nonly: a > b"),  # a file of a task
        ("context: 2*n", "context: 2 * n"),
        (
            "defaults: {head_dim: 1+1, biases: 'query  key', norm: {rms: '1e-6*k'}}",
            "defaults: {head_dim: 1 + 1, biases: 'query key', norm: {rms: '1e-6 * k'}}",
        ),
        ("network:\n  attention   layer0: {heads: a  b}", "network:\n  attention layer0: {heads: a b}"),
        (
            "network: {embedding: {'digit[ d ]': {'w[ 2*d ]': 2*d}, a*b: {x: 1}}}",
            "network: {embedding: {'digit[d]': {'w[2 * d]': 2 * d}, a*b: {x: 1}}}",
        ),
        ("network:\n  ffn:\n    up   c[ i,j+1 ]: i*x", "network:\n  ffn:\n    up c[i, j + 1]: i * x"),
        ("network:\n  ffn:\n    up  c[w[ 0 ]]:  x", "network:\n  ffn:\n    up c[w[0]]: x"),
        (
            "network:\n  head:\n    logits  digit[ d ]: d*x\n    logits a  b: 1\n    logits a[ [ 0]: 1",
            "network:\n  head:\n    logits digit[d]: d * x\n    logits a  b: 1\n    logits a[ [ 0]: 1",
        ),
        ("parameters: {p: &x a*b}\nconstants: {c: *x}", "parameters: {p: &x a * b}\nconstants: {c: *x}"),
    ],
)
def test_expressions_and_names_where_they_stand(before: str, after: str) -> None:
    assert formatted(before) == f"{after}\n"


@pytest.mark.parametrize(
    "text",
    [
        "constants: {a: 1e-6, b: -1000.0, c: 0x1F, d: .5, e: null}",
        "constants: {a: it''s, b: 'x''y', c: \"\\u0061+b\"}",
        "constants: {a: + 5, b: 'a  b', c: ' none ', d: a+}",
        "name: a+b\nsummary: 1*2\nsource: (a,b)\nextends: a*b.yaml\ndecode: x*y",
        "expect:\n  note: a*b+1\n  count: {free: 1}",
        "network:\n  ffn:\n    up a: x\n    up  a: y",
        "network:\n  ffn:\n    down: attention.output",
        "network:\n  ffn:\n    output: ' identity '",
        "source: &x a*b\nconstants: {c: *x}",
        "task:\n  name: a+b  c\n  prompt: [a+b, {each: 'a[ i ]  b'}]\n  cases: {a  b: b+a}\n  answer: {at: a+b}",
    ],
)
def test_what_stays_as_it_is(text: str) -> None:
    assert formatted(text) == f"{text}\n"


def test_a_whole_spec() -> None:
    before = """

# top
weightspec:   1
parameters:
    p:  1+2   # of p
    # q: 3

network:
       ffn  layer0:
          up  c[ i ]:   -x*( p-1 )

          hidden:  [ a,
            b ]
"""
    after = """\
# top
weightspec: 1
parameters:
  p: 1 + 2  # of p
  # q: 3

network:
  ffn layer0:
    up c[i]: -x * (p - 1)

    hidden: [a,
             b]
"""
    assert formatted(before) == after


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("", "empty", 1, 1),
        ("# one\n- a:  1", "wrong-type", 2, 1),
        ("a: [1", "yaml-syntax", 1, 6),
        ("a: 1\na: 2", "duplicate-key", 2, 1),
        ("a: 1\n? b\n: 2", "cannot-format", 2, 1),
        ("a: 1\n&k : 2", "cannot-format", 2, 4),
        ("a: 1\r\nb: 'x\u2028y'", "cannot-format", 2, 6),
        ("a: 1\rb: 2", "cannot-format", 1, 5),
    ],
)
def test_refusals(text: str, code: str, line: int, column: int) -> None:
    with pytest.raises(SpecError) as caught:
        format_source(Source("spec.yaml", text))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.span is not None
    assert (diagnostic.code, diagnostic.span.line, diagnostic.span.column) == (code, line, column)


@pytest.mark.parametrize(
    ("wrong", "comments", "says"),
    [
        ("name: a + c  # c\n", "# c", "more than white space"),
        ("name: a + b  # c\n", "#c", "more than white space"),
        ("name: a +b  # c\n", "# c", "the meaning"),
        ("name: a  # c\n + b\n", "# c", "no document"),
        ("name: a + b # c\n", "# c", "formatting twice"),
    ],
)
def test_a_wrong_result_is_never_returned(
    monkeypatch: pytest.MonkeyPatch, wrong: str, comments: str, says: str
) -> None:
    """The value is free text, in which even a space matters."""
    before = Source("spec.yaml", "name:  a + b  # c\n")
    right = formatted(before.text)

    def lay_out(source: Source, _: object) -> LaidOut:
        return LaidOut(wrong, (comments,)) if source.text == before.text else LaidOut(right, ("# c",))

    monkeypatch.setattr(formatting, "lay_out", lay_out)
    with pytest.raises(SpecError, match=says) as caught:
        format_source(before)
    assert caught.value.diagnostics[0].code == "cannot-format"


def parsed(text: str) -> Node:
    return parse_document(Source("spec.yaml", text))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("constants: {a: b+c}", "constants: {a: b + c}", True),
        ("constants: {a: b+c}", "constants: {a: b + d}", False),
        ("constants: {a: b- -c}", "constants: {a: b + c}", False),
        ("constants: {a: b + c * d}", "constants: {a: (b + c) * d}", False),
        ("constants: {a: 1}", "constants: {a: '1'}", False),
        ("constants: {a: 1}", "constants: {a: 1.0}", False),
        ("constants: {a: it is}", "constants: {a: itis}", False),
        ("stream: a  b", "stream: a b", True),
        ("stream: a b", "stream: ab", False),
        ("stream: 'a b[ 1 ]'", "stream: 'a b[1]'", True),
        ("stream: [a, b]", "stream: [a]", False),
        ("network: {ffn  x: {'up  a[ 0 ]': y}}", "network: {ffn x: {'up a[0]': y}}", True),
        ("network: {ffn: {up a: y}}", "network: {ffn: {up b: y}}", False),
        ("summary: a+b", "summary: a + b", False),
        ("expect: {note: a  b}", "expect: {note: a b}", False),
        ("task: {prompt: a  b}", "task: {prompt: a b}", False),
        ("task: {columns: {next  c: a+b}}", "task: {columns: {next c: a + b}}", True),
        ("task: {columns: {next c: a+b}}", "task: {columns: {next c: b + a}}", False),
        ("task: {given: {a: bit*( n+1 )}}", "task: {given: {a: bit*(n + 1)}}", True),
        ("task: {cases: {a  b: c}}", "task: {cases: {a b: c}}", False),
        ("given: {a: bit}\nonly: a<b", "given: {a: bit}\nonly: a < b", True),
        ("given: {a: bit}\nprompt: a  b", "given: {a: bit}\nprompt: a b", False),
        ("task: {addition: {base: 1+1}}", "task: {addition: {base: 1 + 1}}", True),
        ("a+b", "a + b", False),
        ("constants: {a: &x {}, b: *x}", "constants: {a: {}, b: {}}", True),
        ("constants: {a: []}", "constants: {a: {}}", False),
    ],
)
def test_what_means_the_same(first: str, second: str, same: bool) -> None:
    assert formatting.same_meaning(parsed(first), parsed(second)) is same


def test_a_large_file_is_soon_formatted() -> None:
    text = "constants:\n" + "".join(f"    c{i}:  {i}*x+1   # {i}\n" for i in range(3000))
    assert format_source(Source("spec.yaml", text)).count(" * x + 1  # ") == 3000


def test_a_spec_that_would_become_too_large_is_refused() -> None:
    """It would be none any more: each line of the text gets one more space."""
    text = "summary: |\n" + " x\n" * (MAX_FILE_BYTES // 3 - 10)
    with pytest.raises(SpecError) as caught:
        format_source(Source("spec.yaml", text))
    assert caught.value.diagnostics[0].code == "too-large"
