"""The LaTeX of two shipped specs, as it was read and accepted; and of what is not in the language yet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compiler.document import Mapping, parse_document
from compiler.latex.document import spec_latex
from compiler.pipeline import load
from compiler.source import Source
from tests.helpers import DATA, SPECS

UNKNOWN = r"""
constants: {n: 3, G: [[1, 2], [3, n / 2]]}
vocabulary: digit[n] = <bos> % a+b
stream: eq pair[2, n] i
defaults: {kv_heads: shared, mask: -1e4}
network:
  embedding:
    digit[d]: {eq: d, "pair[k, 0]": k}
    "%": {eq: 1}
    a + b: {eq: 1}
    let: {eq: 4}
  position: {"pair[0, j]": sin(pos / 10 ** j)}
  norm: rms
  scale: {eq: 2}
  attention b:
    heads: look[4]
    qk_norm: {rms: 1e-6, weight: [1, 2]}
    let: {near: "where(query_pos - key_pos < 3, 0, -inf)"}
    query look[h, c < 3]: 2 * eq
    key: G @ G.T
    value: key
    score look[h]: near + h
    rope: {frequency: 1 / (pair + 1), pairs: halves}
    output: identity
    odd: [a b, c]
    nothing: null
  repeat twice: b b2
  mix: 0.5 * b + 0.5 * twice
  mix two: "not [ an expression"
  strange[i]: {"inner[j]": {deep: 1}}
"""

EXPECTED = r"""
\noindent\textbf{tiny95.} $\mathbf{x}$ is the residual stream. What no equation writes is zero. Tokens:
$\mathrm{digit}_{0 \ldots n - 1}$, \texttt{=}, \texttt{\textless{}bos\textgreater{}}, \texttt{\%},
\texttt{a+b}. Dimensions: $\mathrm{eq}$, $\mathrm{pair}_{0 \ldots 1, 0 \ldots n - 1}$, $i$. $p$ is a position,
counted from 0. $m$ is a pair of coordinates of a head, counted from 0.

\noindent\textbf{Constants.}
\begin{align*}
  n &= 3 \\
  G &= \left[\begin{array}{cc} 1 & 2 \\ 3 & \frac{n}{2} \end{array}\right]
\end{align*}

\noindent\textbf{Defaults of all steps.} kv\_heads: $\mathrm{shared}$.
\begin{align*}
  \mathrm{mask} &= -10^{4}
\end{align*}

\noindent\textbf{embedding.} $\tau_{p}$ is the token at position $p$.
\begin{align*}
  \mathrm{embedding}_{\mathrm{digit}_{d}, \mathrm{eq}} &= d \\
  \mathrm{embedding}_{\mathrm{digit}_{d}, \mathrm{pair}_{k, 0}} &= k \\
  \mathrm{embedding}_{\text{\%}, \mathrm{eq}} &= 1 \\
  \mathrm{embedding}_{\text{a + b}, \mathrm{eq}} &= 1 \\
  \mathrm{embedding}_{\mathrm{let}, \mathrm{eq}} &= 4 \\
  \mathbf{x}_{p} &= \mathrm{embedding}_{\tau_{p}}
\end{align*}

\noindent\textbf{position.}
\begin{align*}
  \mathrm{position}_{\mathrm{pair}_{0, j}} &= \sin\left( \frac{p}{10^{j}} \right)
\end{align*}

\noindent\textbf{norm.} norm: rms.

\noindent\textbf{scale.}
\begin{align*}
  \mathrm{scale}_{\mathrm{eq}} &= 2
\end{align*}

\noindent\textbf{attention b.} heads: $\mathrm{look}_{0 \ldots 3}$; rope pairs: halves; odd: [a b, c].
\begin{align*}
  \mathrm{qk\_norm}_{\mathrm{rms}} &= 10^{-6} \\
  \mathrm{qk\_norm}_{\mathrm{weight}} &= \lbrack 1, 2 \rbrack \\
  \mathrm{near} &= \begin{cases} 0 & \text{if } s - t < 3 \\ -\infty & \text{otherwise} \end{cases} \\
  \mathrm{query}_{\mathrm{look}_{h, c < 3}} &= 2 \, \mathrm{eq} \\
  \mathrm{key} &= G \; G^{\top} \\
  \mathrm{value} &= \mathrm{key} \quad \text{(the same weights)} \\
  \mathrm{score}_{\mathrm{look}_{h}}(s, t) &= \mathrm{near} + h \\
  \mathrm{rope}_{\mathrm{frequency}} &= \frac{1}{m + 1} \\
  \mathrm{output} &= \text{identity}
\end{align*}

\noindent\textbf{repeat twice.} repeat: b b2.

\noindent\textbf{mix.}
\begin{align*}
  \mathrm{mix} &= 0.5 \, b + 0.5 \, \mathrm{twice}
\end{align*}

\noindent\textbf{mix two.} mix: not [ an expression.

\noindent\textbf{strange[i].}
\begin{align*}
  \mathrm{strange[i]}_{\mathrm{inner}_{j}, \mathrm{deep}} &= 1
\end{align*}
"""


@pytest.mark.parametrize("name", ["tiny95", "qwen20"])
def test_shipped_specs(name: str) -> None:
    assert spec_latex(load(SPECS / f"{name}.yaml")) == (DATA / f"{name}.tex").read_text(encoding="utf-8")


def test_a_variant_says_so() -> None:
    printed = spec_latex(load(SPECS / "tiny95.yaml", {"digits": 6, "v_scale": 1e8}))
    assert printed.startswith("% tiny95 --set digits=6 --set v_scale=")
    assert r"\mathrm{digits} &= 6" in printed
    assert r"\mathrm{v\_scale} &= 10^{8}" in printed


def test_steps_and_options_that_are_not_known_are_printed_all_the_same() -> None:
    spec = load(SPECS / "tiny95.yaml")
    document = parse_document(Source("unknown", UNKNOWN))
    assert isinstance(document, Mapping)
    printed = spec_latex(replace(spec, resolved=replace(spec.resolved, document=document)))
    body = printed[printed.index("\n\n") + 1 : printed.index("\\noindent\\textbf{Decoding.}") - 1]
    assert body == EXPECTED
