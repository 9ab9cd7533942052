"""The LaTeX of two shipped specs and of one that has every kind of step, as it was read and accepted."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import pytest

from compiler.pipeline import load, load_source
from compiler.readers.latex.document import spec_latex
from compiler.readers.latex.words import escape
from compiler.source.text import Source
from compiler.tasks.rules import rules, section_of
from tests.helpers import DATA, SPECS, load_text, small
from tests.tasks.specs import PARTS, written


@pytest.mark.parametrize("path", [SPECS / "tiny95.yaml", SPECS / "qwen20.yaml", DATA / "every_step.yaml"], ids=str)
def test_specs(path: Path) -> None:
    assert spec_latex(load(path)) == (DATA / f"{path.stem}.tex").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["subtraction", "induction", "increment"])
def test_tasks(name: str) -> None:
    printed = spec_latex(load_source(Source("spec.yaml", written(name))))
    assert printed == (DATA / f"tasks/{name}.tex").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PARTS)
def test_every_formula_of_a_task_is_there(name: str) -> None:
    spec = load_source(Source("spec.yaml", written(name)))
    printed = spec_latex(spec)
    section = section_of(spec.resolved.document)
    assert section is not None
    block = printed.partition(r"\textbf{Task ")[2].partition(r"\end{align*}")[0]
    assert block.startswith(escape(spec.resolved.task.name))
    lines = block.partition("\\begin{align*}\n")[2].split(" \\\\\n")
    assert len([line for line in lines if not line.startswith("    &")]) == len(list(rules(section)))
    assert all(depth >= 0 for depth in accumulate(((sign == "{") - (sign == "}") for sign in block), initial=1))


SCORE, OTHER, LARGEST = r"\sigma_{h}(i, j)", r"\sigma_{h}(i, j')", r"\mu_{h}(i)"


@pytest.mark.parametrize(
    ("options", "seen", "weight"),
    [
        ("ties: share", r"j' \le i", rf"\frac{{[{SCORE} = {LARGEST}]}}{{\sum_{{j' \le i}} [{OTHER} = {LARGEST}]}}"),
        ("ties: latest", r"j' \le i", rf"[j = \max \{{j' \le i : {OTHER} = {LARGEST}\}}]"),
        ("ties: earliest\n  mask: none", "j'", rf"[j = \min \{{j' : {OTHER} = {LARGEST}\}}]"),
        (
            "mask: {window: 3}",
            r"i - 3 < j' \le i",
            rf"\frac{{[{SCORE} = {LARGEST}]}}{{\sum_{{i - 3 < j' \le i}} [{OTHER} = {LARGEST}]}}",
        ),
    ],
)
def test_hard_attention(tmp_path: Path, options: str, seen: str, weight: str) -> None:
    step = f"embedding:\n  digit[d]: {{x: d}}\nattention:\n  softmax: hard\n  {options}\n  key head: x\n"
    printed = spec_latex(load_text(tmp_path, small(step)))
    assert rf"{LARGEST} &= \max_{{{seen}}} {OTHER} \\" in printed
    assert rf"\alpha_{{h}}(i, j) &= {weight} \\" in printed
    mixed = seen.replace("j'", "j")
    assert rf"\sum_{{{mixed}}} \alpha_{{h}}(i, j)" in printed


def test_a_variant_says_so() -> None:
    printed = spec_latex(load(SPECS / "tiny95.yaml", {"digits": 6, "v_scale": 1e8}))
    assert printed.startswith("% tiny95 --set digits=6 --set v_scale=")
    assert r"\mathrm{digits} &= 6" in printed
    assert r"\mathrm{v\_scale} &= 10^{8}" in printed
