"""Activations, norms with a bias or after a step, steps without a residual: each is followed, proved and refuted."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.network.ir import ACTIVATIONS
from compiler.verifier.verify import verify
from tests.helpers import load_text
from tests.verifier.truth import truth
from tests.verifier.verdicts import check

TEXT = """
weightspec: 1
name: copy
dtype: DTYPE
vocabulary: symbol[symbols] =
task: {copy: {symbols: 3, length: 3}, prompt: word =, answer: copied}
stream: is[symbols] one found[symbols]
network:
  embedding:
    symbol[s]: {"is[s]": 1, one: 1}
    =: {one: 1}
  attention:
    heads: copy
    head_dim: symbols
    score copy: where(key_pos == query_pos - 3, 0, query_pos < 3, 0, -inf)
    value copy[s]: is[s]
    output found[s]: copy[s]
    ATTENTION
  ffn:
    hidden: h[symbols]
    up h[s]: found[s] + 1 / 4
    down found[s]: SIGN h[s]
    FFN
  head:
    logits symbol[s]: found[s]
decode: argmax
ignore: no-claims unlisted-logit
"""
BLOCKS: dict[str, tuple[str, str]] = {
    **{kind: ("", f"activation: {kind}") for kind in ACTIVATIONS},
    "replaced": ("residual: none", "residual: none"),
    "normed after": ("post_norm: {layer: 1e-5, weight: 2}", "post_norm: {rms: 1e-5, weight: 1, bias: 1 / 3}"),
    "both": ("residual: none\n    post_norm: rms", "residual: none\n    post_norm: {layer: 1e-5, bias: 0.1}"),
    "biased norm": ("", "norm: {layer: 1e-5, weight: 1, bias: 0.1}"),
}


@pytest.mark.parametrize("block", BLOCKS)
def test_a_copy_is_proved_and_its_opposite_refuted(tmp_path: Path, block: str) -> None:
    """No input is tried: what varies is followed through the block."""
    attention, ffn = BLOCKS[block]
    text = TEXT.replace("ATTENTION", attention).replace("FFN", ffn)
    for sign, dtype, verdict in (("", "float32", "proved"), ("-3 *", "float64", "refuted")):
        spec = load_text(tmp_path, text.replace("SIGN", sign).replace("DTYPE", dtype))
        said = verify(spec, tried=0)
        check(block, spec, said, truth(spec))
        assert said.verdict == verdict
