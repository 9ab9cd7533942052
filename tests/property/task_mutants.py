"""Task sections made wrong at random in what they say, so that what is made is YAML and reaches the later stages."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from random import Random
from typing import Any

import yaml

ODD_VALUES: list[Any] = [
    *(None, True, 0, -1, 1, 2, 3, 0.5, 1024, 1025, 10**9, -(10**30), "", " ", "x" * 300, "é", "a\tb", "a\nb"),
    *("digit*10**9", "symbol*length", "2**2**40", "9**9**9", "10**6", "1/0", "1 // 0", "5 % 0", "1e999", ".nan"),
    *("sum(sum(sum(1, u, 1000), v, 1000), w, 1000)", "any(a[k] == 1, k, 10**9)", "all(1 > 0, k, 2**63)"),
    *("sum(2**60000, k, 1000)", "2**65535 * 2**65535", "number(a)", "number(word)", "word[word[0]]", "a[a[0]]"),
    *("where(1 > 0, 2)", "a and b", "distinct(a)", "first(1 > 2, k, 3)", "min()", "-a", "not a", "1 < 2 < 3"),
    *("1 < 0", "1 > 0", "[", ")", "a*", "*", "0*9", "a[0]", "a[i, j]", "digit[a[i]]", "two[a[i], b[i]]", "'a", '"'),
    *("(" * 99 + "1" + ")" * 99, "(" * 200 + "1" + ")" * 200, "1" + " + 1" * 3000, "-" * 50 + "1", "<bos>", "?"),
    *({}, [], [["a"]], ["a", "b"], {"from": 1, "to": "10**6"}, {"from": 9, "to": 2}, {"size": 2, "start": 1}),
    *({"at": "="}, {"in_place": "word"}, {"next": "word", "from": 99}, {"file": "x.tsv"}, [{"each": "a[i]"}]),
    *({"only": "1 < 0"}, {"only": "1 > 0", "size": "10**7"}, {"each": "a"}),
]
KEYS = """
    sizes alphabets given answers only equations columns from state let end numbers shown suites prompt answer window
    order cases extends name addition copy sort a b word sum base digits length hard size start at next in_place each to
    x[i] word[i] number(a) number(sum) sum[i] sum[0] a[ [i] 1 é null
""".split()  # noqa: SIM905
SIGNS = """
    + - * % < > = ( ) [ ] , ** // and or not 0 1 2 3 7 10**5 2**40 k i first last number sum where
""".split()  # noqa: SIM905
_TOKEN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|\*\*|//|[<>=!]=|\s+|.", re.DOTALL)
Holder = dict[Any, Any] | list[Any]


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def mutant(document: dict[str, Any], random: Random) -> str:
    """The document after one to three changes of its task."""
    changed = copy.deepcopy(document)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        _change(changed["task"], random)
    return yaml.safe_dump(changed, sort_keys=False, allow_unicode=True, width=1 << 20)


def _places(value: Any) -> list[tuple[Holder, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [(value, key) for key in keys] + [place for key in keys for place in _places(value[key])]


def _change(task: dict[str, Any], random: Random) -> None:
    """One key or value dropped, replaced, renamed, doubled, swapped, or a token of a text changed."""
    places = _places(task)
    if not places:
        return
    (holder, key), (other, there) = random.choice(places), random.choice(places)
    match random.randrange(9):
        case 0:
            del holder[key]
        case 1:
            holder[key] = copy.deepcopy(random.choice(ODD_VALUES))
        case 2 if isinstance(holder, dict):
            holder[random.choice(KEYS)] = holder.pop(key)
        case 3 if isinstance(holder, dict):
            holder[random.choice(KEYS)] = copy.deepcopy(random.choice([holder[key], random.choice(ODD_VALUES)]))
        case 4:
            mine, theirs = copy.deepcopy(holder[key]), copy.deepcopy(other[there])
            holder[key], other[there] = theirs, mine
        case _ if isinstance(holder[key], str | int):
            holder[key] = _retyped(str(holder[key]), [str(name) for _, name in places], random)


def _retyped(text: str, names: list[str], random: Random) -> str:
    tokens = _TOKEN.findall(text)
    if not tokens:
        return text
    at = random.randrange(len(tokens))
    match random.randrange(4):
        case 0:
            del tokens[at]
        case 1:
            tokens.insert(at, tokens[at])
        case 2:
            tokens[at] = random.choice([*SIGNS, *names])
        case _:
            tokens[at] = random.choice(tokens)
    return "".join(tokens)
