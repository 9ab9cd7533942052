"""Addition in several bases: words, inputs, every suite; and token layouts."""

from __future__ import annotations

from collections import Counter
from itertools import islice, product
from random import Random

import pytest

from compiler.language.layouts import with_classes
from compiler.language.resolve import resolve
from compiler.source.diagnostics import Findings, SpecError
from compiler.source.document import Mapping, Scalar, parse_document
from compiler.source.schema import check_schema
from compiler.source.text import Source
from compiler.tasks import Task, TaskError
from compiler.tasks.layout import Layout
from compiler.tasks.task import Inputs
from tests.tasks.packaged import PACKAGED, lengths, package_task

SHAPES = [(2, 1), (2, 5), (3, 3), (10, 1), (10, 4), (10, 10), (16, 2), (1024, 20)]


def task(base: int, digits: int) -> Task:
    return package_task("addition", base=base, digits=digits)


def inputs(base: int, digits: int, suite: str, size: int | None = None, seed: int = 0) -> list[Inputs]:
    found = task(base, digits).suites()[suite]
    parts = found.parts(found.default_size if size is None else size, seed)
    result = []
    for part in parts:
        once = list(part.generate())
        assert once == list(part.generate())  # a part can be gone through again
        assert len(once) == part.size
        result += once
    return result


def carries(a: int, b: int, base: int, digits: int) -> tuple[bool, ...]:
    """Whether there is a carry out of each column, the lowest first."""
    return tuple(a % base**k + b % base**k >= base**k for k in range(1, digits + 1))


@pytest.mark.parametrize(
    ("base", "digits", "pair", "words"),
    [
        (10, 3, (7, 999), {"a": (0, 0, 7), "b": (9, 9, 9), "sum": (1, 0, 0, 6)}),
        (2, 4, (5, 6), {"a": (0, 1, 0, 1), "b": (0, 1, 1, 0), "sum": (0, 1, 0, 1, 1)}),
        (16, 2, (255, 1), {"a": (15, 15), "b": (0, 1), "sum": (1, 0, 0)}),
    ],
)
def test_words_are_digits_most_significant_first(
    base: int, digits: int, pair: tuple[int, int], words: dict[str, tuple[int, ...]]
) -> None:
    one = task(base, digits)
    assert one.solve(pair) == words
    assert one.show(words) == str(sum(pair))
    assert lengths(one) == {"a": digits, "b": digits, "sum": digits + 1}
    assert {word.symbols for word in (*one.given, *one.answers)} == {base}
    assert one.describe(pair) == f"{pair[0]} + {pair[1]}"


@pytest.mark.parametrize(
    ("texts", "expected"), [(["1", "99"], (1, 99)), ([" 07 ", "10"], (7, 10)), (["0", "0"], (0, 0))]
)
def test_inputs_are_decimal_numbers(texts: list[str], expected: Inputs) -> None:
    assert task(10, 2).read(texts) == expected


def test_inputs_are_decimal_in_every_base() -> None:
    assert task(2, 4).read(["15", "10"]) == (15, 10)
    with pytest.raises(TaskError, match="16 is too large: an operand is at most 15"):
        task(2, 4).read(["16", "0"])


@pytest.mark.parametrize(
    "texts", [["1"], ["1", "2", "3"], ["-1", "2"], ["1.5", "2"], ["", "1"], ["٣", "1"], ["100", "1"], ["1_0", "1"]]
)
def test_inputs_that_are_refused(texts: list[str]) -> None:
    with pytest.raises(TaskError):
        task(10, 2).read(texts)


def test_a_giant_input_is_refused_at_once() -> None:
    with pytest.raises(TaskError, match="a number of 1000000 digits is too large"):
        task(10, 2).read(["9" * 1_000_000, "1"])


@pytest.mark.parametrize(
    "sizes", [{}, {"base": 10}, {"base": 10, "digits": 2, "x": 1}, {"base": 1, "digits": 2}, {"base": 10, "digits": 0}]
)
def test_sizes_that_are_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(SpecError, match=r"addition|base|digits"):
        package_task("addition", **sizes)


@pytest.mark.parametrize(("base", "digits"), SHAPES)
@pytest.mark.parametrize("suite", ["uniform", "edges", "carries", "near_carry"])
def test_suites_are_valid_and_follow_the_seed(suite: str, base: int, digits: int) -> None:
    size = task(base, digits).suites()[suite].default_size if suite == "edges" else 200
    found = inputs(base, digits, suite, size)
    assert len(found) == size
    assert all(0 <= a < base**digits and 0 <= b < base**digits for a, b in found)
    assert found == inputs(base, digits, suite, size)
    if task(base, digits).suites()[suite].sampled and (base, digits) != (2, 1):
        assert found != inputs(base, digits, suite, size, seed=1)


def test_uniform_has_a_part_for_each_length() -> None:
    suite = task(10, 4).suites()["uniform"]
    parts = suite.parts(1000, 0)
    assert [(part.label, part.size) for part in parts] == [("2 digits", 334), ("3 digits", 333), ("4 digits", 333)]
    for part, length in zip(parts, (2, 3, 4), strict=True):
        numbers = [number for pair in part.generate() for number in pair]
        assert all(len(str(number)) == length for number in numbers)
        assert len({str(number)[0] for number in numbers}) == 9
    assert suite.default_size == 30_000
    (single,) = task(10, 1).suites()["uniform"].parts(1000, 0)
    assert {number for pair in single.generate() for number in pair} == set(range(10))


def test_uniform_keeps_its_pairs_when_more_are_asked_for() -> None:
    few, many = (task(10, 4).suites()["uniform"].parts(size, 5)[0] for size in (30, 300))
    assert list(islice(many.generate(), few.size)) == list(few.generate())


@pytest.mark.parametrize(("base", "digits"), SHAPES)
def test_edges_are_unique_pairs_of_the_extremes(base: int, digits: int) -> None:
    found = inputs(base, digits, "edges")
    assert len(set(found)) == len(found)
    largest = base**digits - 1
    numbers = {a for a, _ in found}
    assert {0, 1, largest, largest - 1, (largest + 1) // 2, base ** (digits - 1)} <= numbers
    assert max(numbers) == largest
    assert set(found) == set(product(numbers, numbers))


def test_the_number_of_edges_is_stable() -> None:
    assert len(inputs(10, 10, "edges")) == 784


@pytest.mark.parametrize(("base", "digits"), [(2, 1), (2, 5), (3, 3), (10, 4), (10, 10), (16, 2)])
@pytest.mark.parametrize("seed", [0, 1])
def test_carries_has_every_pattern_once(base: int, digits: int, seed: int) -> None:
    found = Counter(carries(a, b, base, digits) for a, b in inputs(base, digits, "carries", seed=seed))
    assert found == Counter(dict.fromkeys(product((False, True), repeat=digits), 1))


def test_carries_goes_through_all_patterns_again_before_it_samples() -> None:
    found = Counter(carries(a, b, 10, 3) for a, b in inputs(10, 3, "carries", 20))
    assert len(found) == 8
    assert min(found.values()) == 2


def carries_by_definition(base: int, digits: int, count: int) -> list[Inputs]:
    """docs/evaluation.md, word for word: digits of a column are drawn until it carries, or does not, as wanted."""
    random = Random("carries:0")
    found: list[Inputs] = []
    for number in range(count):
        whole_rounds = number < count - count % 2**digits
        pattern = number % 2**digits if whole_rounds else random.randrange(2**digits)
        a = b = carry = 0
        for k in range(digits):
            wanted = pattern >> k & 1
            x, y = random.randrange(base), random.randrange(base)
            while (x + y + carry >= base) != wanted:
                x, y = random.randrange(base), random.randrange(base)
            a, b, carry = a + x * base**k, b + y * base**k, wanted
        found.append((a, b))
    return found


@pytest.mark.parametrize(("base", "digits"), [(2, 3), (3, 3), (10, 4), (10, 40), (16, 5), (1024, 7)])
def test_carries_follows_its_definition(base: int, digits: int) -> None:
    assert inputs(base, digits, "carries", 100) == carries_by_definition(base, digits, 100)


def test_carries_samples_where_patterns_are_too_many() -> None:
    found = {carries(a, b, 10, 20) for a, b in inputs(10, 20, "carries")}
    assert task(10, 20).suites()["carries"].default_size == 4096
    assert len(found) > 4000


def near_carry_by_definition(base: int, digits: int, count: int) -> list[Inputs]:
    """DESIGN.md, section 5, word for word; sums that no operands have are drawn again."""
    random, largest = Random(7), base**digits - 1
    found: list[Inputs] = []
    while len(found) < count:
        j = random.randint(1, digits)
        m = random.randint(1, (2 * base**digits - 2) // base**j)
        r = random.randint(0, min(6, j))
        total = m * base**j + random.choice((-1, 1)) * random.randint(0, base**r)
        if 0 <= total <= 2 * largest:
            a = random.randint(0, largest)
            while not 0 <= total - a <= largest:
                a = random.randint(0, largest)
            found.append((a, total - a))
    return found


def nearness(total: int, base: int, digits: int, within: int) -> int:
    """The highest power of the base with a positive multiple at most `within` from the sum."""
    powers = [j for j in range(1, digits + 1) if -within <= (total + base**j // 2) % base**j - base**j // 2 <= within]
    return max((j for j in powers if total >= base**j // 2), default=0)


@pytest.mark.parametrize(("base", "digits"), [(2, 5), (3, 3), (10, 4), (10, 10), (16, 8)])
@pytest.mark.parametrize("reach", [0, 1, 3, 5])
def test_near_carry_follows_its_definition(base: int, digits: int, reach: int) -> None:
    def histogram(pairs: list[Inputs]) -> Counter[int]:
        return Counter(nearness(a + b, base, digits, base**reach if reach else 0) for a, b in pairs)

    found = histogram(inputs(base, digits, "near_carry"))
    expected = histogram(near_carry_by_definition(base, digits, 4000))
    assert all(abs(found[j] - expected[j]) < 200 for j in range(digits + 1)), (found, expected)


def test_near_carry_takes_operands_uniformly_among_those_that_fit() -> None:
    for large in (False, True):
        pairs = [pair for pair in inputs(10, 4, "near_carry", 8000) if (sum(pair) > 9999) is large]
        spread = [(a - max(0, a + b - 9999)) / (min(9999, a + b) - max(0, a + b - 9999) or 1) for a, b in pairs]
        tenths = Counter(min(9, int(10 * place)) for place in spread)
        assert all(0.07 < tenths[k] / len(spread) < 0.13 for k in range(10)), tenths


def test_near_carry_comes_near_every_power_and_from_both_sides() -> None:
    totals = [a + b for a, b in inputs(10, 10, "near_carry")]
    for j in range(1, 11):
        sides = {(total + 10**j // 2) % 10**j >= 10**j // 2 for total in totals if total % 10**j in (1, 10**j - 1)}
        assert sides == {False, True}


@pytest.mark.parametrize(("base", "digits"), [(2, 1), (2, 4), (3, 2), (10, 2)])
def test_exhaustive_is_complete(base: int, digits: int) -> None:
    every = range(base**digits)
    assert inputs(base, digits, "exhaustive") == list(product(every, every))
    assert task(base, digits).suites()["exhaustive"].by_default == (len(every) ** 2 <= 10_000)
    assert not task(10, 3).suites()["exhaustive"].by_default


def test_exhaustive_refuses_what_is_too_much() -> None:
    assert task(10, 4).suites()["exhaustive"].parts(0, 0)[0].size == 10**8
    with pytest.raises(TaskError, match="at most 100,000,000 are run"):
        task(10, 5).suites()["exhaustive"].parts(0, 0)


VOCABULARY = "digit[10] = <bos> <eos> +"
SPEC = """\
weightspec: 1
name: asked
dtype: float32
vocabulary: {vocabulary}
stream: x
network:
  embedding: {{}}
decode: argmax
"""


def layout(section: str, vocabulary: str = VOCABULARY) -> tuple[Layout | None, list[tuple[str, int, int]]]:
    """The layout of an addition, or what is wrong with it, by its place in the section and a line above it."""
    node = parse_document(Source("task", "addition: {base: 10, digits: 2}\n" + section))
    rest = parse_document(Source("rest", SPEC.format(vocabulary=vocabulary)))
    assert isinstance(rest, Mapping)
    document = Mapping((*rest.items, (Scalar("task", "task", node.span), node)), rest.span)
    findings = Findings()
    resolved = resolve(check_schema(document).document, findings)
    found = [(d.code, d.span.line, d.span.column) for d in findings if d.span is not None]
    return None if resolved is None else resolved.layout, found


@pytest.mark.parametrize(
    ("section", "prompt", "answer"),
    [
        ("prompt: <bos> a + b =\nanswer: sum <eos>", [11, 1, 2, 13, 9, 3, 10], [1, 0, 5, 12]),
        ("prompt: [<bos>, a, b]\nanswer: [sum]", [11, 1, 2, 9, 3], [1, 0, 5]),
        ("prompt: a b\nanswer: sum\norder: least_significant_first", [2, 1, 3, 9], [5, 0, 1]),
        ("prompt: a b\nanswer: sum\norder: most_significant_first", [1, 2, 9, 3], [1, 0, 5]),
        ("prompt: 0*3 a 7 b =*digits\nanswer: 0 sum", [0, 0, 0, 1, 2, 7, 9, 3, 10, 10], [0, 1, 0, 5]),
        ("prompt: a a*2 b +*0\nanswer: digit[4] sum", [1, 2, 1, 2, 1, 2, 9, 3], [4, 1, 0, 5]),
    ],
    ids=["usual", "lists", "reversed", "forward", "repeated", "twice"],
)
def test_layouts(section: str, prompt: list[int], answer: list[int]) -> None:
    result, found = layout(section)
    assert found == []
    assert result is not None
    words = task(10, 2).solve((12, 93))
    assert result.prompt_tokens(words) == prompt
    assert result.answer_tokens(words) == answer
    assert result.length == len(prompt) + len(answer)
    assert result.read_answer(answer) == {"sum": (1, 0, 5)}


def test_symbols_need_not_come_first() -> None:
    result, found = layout("prompt: a b\nanswer: sum", "= symbol[12]")
    assert found == []
    assert result is not None
    assert {slot.tokens for slot in (*result.prompt, *result.answer)} == {tuple(range(1, 11))}
    assert result.answer_tokens(task(10, 2).solve((12, 93))) == [2, 1, 6]
    assert result.read_answer([2, 1, 11]) is None  # a token of the family, but no digit of the base


def test_tokens_that_cannot_be_emitted_are_forced() -> None:
    result, _ = layout("prompt: a b\nanswer: = sum <eos>")
    assert result is not None
    assert result.predicted == (0, 1, 2, 3, 4)
    assert with_classes(result, 10).predicted == (1, 2, 3)
    assert with_classes(result, 11).predicted == (0, 1, 2, 3)


def test_an_answer_that_is_no_digit_is_none() -> None:
    result, _ = layout("prompt: a b\nanswer: sum <eos>")
    assert result is not None
    assert result.read_answer([1, 10, 5, 12]) is None
    assert result.read_answer([1, 0, 5, 3]) == {"sum": (1, 0, 5)}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("prompt: a + c\nanswer: sum", [("unknown-name", 2, 13)]),
        ("prompt: a b 12\nanswer: sum", [("unknown-name", 2, 13)]),
        ("prompt: a b\nanswer: sun", [("unknown-name", 3, 9)]),
        ("prompt: a b\nanswer: a", [("unknown-name", 3, 9)]),
        ("prompt: a b\nanswer: =", [("task", 3, 1)]),
        ("prompt: a =\nanswer: sum", [("task", 2, 1)]),
        ("prompt: a b 0*(0-1)\nanswer: sum", [("index-range", 2, 13)]),
        ("prompt: a b 0*x\nanswer: sum", [("unknown-name", 2, 15)]),
        ("prompt: a b 0*0.5\nanswer: sum", [("wrong-type", 2, 15)]),
        ("prompt: a b 0*99999\nanswer: sum", [("index-range", 2, 13)]),
        ("prompt: a b 0*16000 0*16000\nanswer: sum", [("too-large", 2, 21)]),
    ],
)
def test_layouts_that_are_refused(section: str, expected: list[tuple[str, int, int]]) -> None:
    assert layout(section) == (None, expected)


def test_a_token_may_not_be_a_word_of_the_task() -> None:
    assert layout("prompt: a b\nanswer: sum", "digit[10] b") == (
        None,
        [("name-clash", 2, 11)],
    )


@pytest.mark.parametrize("vocabulary", ["=", "digit[9]", "x[10] y[10]"])
def test_a_vocabulary_without_digits_is_refused(vocabulary: str) -> None:
    assert layout("prompt: a b\nanswer: sum", vocabulary) == (None, [("task", 1, 1)])


KNOWN_PAIRS = {  # by their place among the random ones; a published model of the board is wrong on just these
    1800: (4852919719, 6296009553),
    3448: (196363434, 1094846205),
    4283: (5709201191, 9702757099),
    4665: (1974511785, 992768830),
    6150: (1982450923, 920344709),
    6463: (7478401963, 1252460988),
    7395: (1199304441, 6091653984),
    9451: (1298194328, 1389098195),
    9831: (1986246678, 993495337),
}


def test_the_pairs_of_the_leaderboard() -> None:
    edges, pairs = task(10, 10).suites()["adderboard"].parts(3, 7)  # neither size nor seed matters
    assert (edges.label, edges.size, pairs.label, pairs.size) == ("edge cases", 10, "random pairs", 10_000)
    assert list(edges.generate()) == [
        (0, 0),
        (0, 1),
        (9999999999, 0),
        (9999999999, 1),
        (9999999999, 9999999999),
        (5000000000, 5000000000),
        (1111111111, 8888888889),
        (1234567890, 9876543210),
        (9999999999, 9999999999),
        (1, 9999999999),
    ]
    drawn = inputs(10, 10, "adderboard")[10:]
    assert len(drawn) == 10_000
    assert {place: drawn[place] for place in KNOWN_PAIRS} == KNOWN_PAIRS


@pytest.mark.parametrize(("base", "digits"), [(10, 9), (2, 10), (2, 33), (16, 8)])
def test_the_leaderboard_is_about_ten_decimal_digits(base: int, digits: int) -> None:
    with pytest.raises(TaskError, match=f"from 0 to 9999999999, and an operand .* at most {base**digits - 1}\\."):
        task(base, digits).suites()["adderboard"].parts(10_010, 0)


@pytest.mark.parametrize(("base", "digits"), [(10, 11), (2, 34), (16, 9), (100, 5), (1024, 4)])
def test_the_leaderboard_runs_on_all_that_hold_its_numbers(base: int, digits: int) -> None:
    assert inputs(base, digits, "adderboard") == inputs(10, 10, "adderboard")
    words = [word for part in task(base, digits).suites()["adderboard"].parts(0, 0) for word in part.blocks(5000)]
    assert sum(len(block["sum"]) for block in words) == 10_010
    assert words[0]["a"][2].tolist() == [9999999999 // base**k % base for k in reversed(range(digits))]


WORDS = {"symbols": 4, "length": 5}
EXAMPLES = {"addition": {"base": 10, "digits": 10}, **dict.fromkeys(("copy", "reverse", "sort"), WORDS)}


def test_protocols_are_made_of_suites_of_their_task() -> None:
    protocols = {name: package_task(name, **EXAMPLES[name]).protocols() for name in PACKAGED}
    assert {name: list(own) for name, own in protocols.items()} == {
        "addition": ["adderboard"],
        "copy": [],
        "reverse": [],
        "sort": [],
    }
    for name, own in protocols.items():
        suites = package_task(name, **EXAMPLES[name]).suites()
        for protocol in own.values():
            assert all(not suites[suite].sampled and not suites[suite].by_default for suite in protocol.suites)


@pytest.mark.parametrize(("inputs_", "needed"), [(10_010, 9_910), (10_000, 9_900), (100, 99), (10, 10), (1, 1)])
def test_99_percent_of_the_leaderboard(inputs_: int, needed: int) -> None:
    assert task(10, 10).protocols()["adderboard"].needed(inputs_) == needed
