"""The codes of warnings. What each one means stands in `compiler.language.warnings`."""

from __future__ import annotations

from compiler.readers.explaining.explanation import Explanation

_LENGTHS = """\
expect: {eval: null}
task:
  addition: null
  sizes: {base: 10, length: {from: 1, to: 3}}
  given: {word: digit*length}
  answers: {kept: digit*length}
  equations: {'kept[i]': "word[i]"}
  prompt: word
  answer: kept
"""
_REVERSED = """\
vocabulary: digit[10]
task: {addition: null, reverse: {symbols: 10, length: 5}, prompt: word, answer: {in_place: word}}
expect: {eval: null}"""

WARNINGS_EXPLAINED = (
    Explanation(
        "unused-name",
        "A misspelt name is the usual reason; else remove it.",
        "parameters: {gain: 2}",
        "parameters: {gain: 2}\nnetwork: {ffn: {up: gain * seen}}",
    ),
    Explanation(
        "no-claims",
        "State what is counted and what is right: `count` and `eval` then check it.",
        "expect: null",
        "expect: {count: {free: 10}}",
    ),
    Explanation(
        "underflow",
        "The number is nearer to zero than the smallest number of the dtype.",
        "dtype: float16\nnetwork: {ffn: {up: 1e-9 * seen}}",
        "dtype: float16\nnetwork: {ffn: {up: 1e-3 * seen}}",
    ),
    Explanation(
        "overflow",
        "exp(score) is no finite number of the dtype. The standard softmax takes the largest score off first.",
        "network: {attention: {softmax: plus_one, score look: 1000}}",
        "network: {attention: {softmax: plus_one, score look: 10}}",
    ),
    Explanation(
        "inexact-integer",
        "It becomes the nearest integer that the dtype has.",
        "dtype: float16\nparameters: {large: 2049}\nnetwork: {ffn: {up: large * seen}}",
        "dtype: float16\nparameters: {large: 2048}\nnetwork: {ffn: {up: large * seen}}",
    ),
    Explanation(
        "vanishing-equation",
        "The map is as if the equation were left out.",
        "network: {ffn: {up: 0 * seen}}",
        "network: {ffn: {up: 2 * seen}}",
    ),
    Explanation(
        "unlisted-logit",
        "`classes` leaves tokens out that are never the answer; or give each token an equation.",
        "vocabulary: digit[base] =",
        "vocabulary: digit[base] =\nnetwork: {head: {classes: base}}",
    ),
    Explanation(
        "silent-symbol",
        "`classes` leaves a symbol out that an answer can have.",
        "network: {head: {classes: 9, 'logits digit[d]': null, 'logits digit[d < 9]': 't[d] * (own + seen)'}}",
        "network: {head: {classes: 10}}",
    ),
    Explanation(
        "moved-dimension",
        "The step changes the stream, and what it adds to stays where it is, under another name.",
        "network:\n  ffn: {stream: more own seen}",
        "network:\n  ffn: {stream: own seen more}",
    ),
    Explanation(
        "zero-epsilon",
        "Write an eps, such as 1e-6, or be sure that the stream is never all zero.",
        "network:\n  norm: {rms: 0, after: ffn}",
        "network:\n  norm: {rms: 1e-6, after: ffn}",
    ),
    Explanation(
        "unseen-token",
        "Under `mask: causal` no token sees the later ones.",
        _REVERSED,
        f"{_REVERSED}\nnetwork: {{attention: {{mask: none}}}}",
    ),
    Explanation(
        "no-input",
        "Nothing can be right or wrong there. Where all inputs are excluded, it is an error.",
        f"{_LENGTHS}  only: length > 1",
        f"{_LENGTHS}  only: length > 0",
    ),
    Explanation(
        "suspicious-index",
        "An index name is free to choose, and its value is read by that very name.",
        "parameters: {index: 2}\nnetwork:\n  ffn:\n    hidden: unit more[3]\n    up: null\n"
        "    up unit: seen\n    up more[indx]: index * seen",
        "parameters: {index: 2}\nnetwork:\n  ffn:\n    hidden: unit more[3]\n    up: null\n"
        "    up unit: seen\n    up more[i]: index * seen",
    ),
)
