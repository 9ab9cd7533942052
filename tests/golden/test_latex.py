"""The LaTeX of two shipped specs and of one that has every kind of step, as it was read and accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.pipeline import load
from compiler.readers.latex.document import spec_latex
from tests.helpers import DATA, SPECS


@pytest.mark.parametrize("path", [SPECS / "tiny95.yaml", SPECS / "qwen20.yaml", DATA / "every_step.yaml"], ids=str)
def test_specs(path: Path) -> None:
    assert spec_latex(load(path)) == (DATA / f"{path.stem}.tex").read_text(encoding="utf-8")


def test_a_variant_says_so() -> None:
    printed = spec_latex(load(SPECS / "tiny95.yaml", {"digits": 6, "v_scale": 1e8}))
    assert printed.startswith("% tiny95 --set digits=6 --set v_scale=")
    assert r"\mathrm{digits} &= 6" in printed
    assert r"\mathrm{v\_scale} &= 10^{8}" in printed
