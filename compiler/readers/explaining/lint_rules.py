"""The codes of the rules of `lint`. What each one asks, whose rule it is and what to do stands with the rule."""

from __future__ import annotations

from compiler.readers.explaining.explanation import Explanation

_FIRST = "network: {ffn: {up: seen}}"  # as it is: nothing is found

LINT_EXPLAINED = (
    Explanation("other-task", "", "task: {addition: {digits: 9}}", "task: {addition: {digits: 10}}"),
    Explanation(
        "low-accuracy",
        "",
        "expect: {eval: {adderboard: {inputs: 10010, right: 9909}}}",
        "expect: {eval: {adderboard: {inputs: 10010, right: 9910}}}",
    ),
    Explanation(
        "self-attention",
        "",
        "network:\n  attention: null\n  ffn: {up: own, down seen: null, down own: unit}\n"
        "  head: {'logits digit[d]': 't[d] * own'}",
        _FIRST,
    ),
    Explanation("later-tokens", "", "network: {attention: {mask: none}}", "network: {attention: {mask: causal}}"),
    Explanation(
        "not-generated",
        "",
        "task: {addition: null, reverse: {symbols: 10, length: 5}, prompt: word, answer: {in_place: word}}\n"
        "vocabulary: digit[10]\nexpect: {eval: null}",
        _FIRST,
    ),
    Explanation("wrong-count", "", "expect: {count: {free: 9}}", "expect: {count: {free: 10}}"),
    Explanation("no-count", "", "expect: {count: null}", "expect: {count: {free: 10}}"),
    Explanation(
        "no-accuracy",
        "",
        "expect: {eval: {adderboard: null, uniform: {inputs: 9, right: 9}}}",
        "expect: {eval: {adderboard: {inputs: 10010, right: 10010}}}",
    ),
    Explanation("operand-twice", "", "task: {prompt: a b a}", "task: {prompt: a b}"),
    Explanation(
        "forced-token",
        "",
        "vocabulary: digit[base] <eos>\ntask: {answer: sum <eos>}\nnetwork: {head: {classes: base}}",
        "vocabulary: digit[base] <eos>\ntask: {answer: sum}\nnetwork: {head: {classes: base}}",
    ),
    Explanation("argmin", "", "decode: argmin", "decode: argmax"),
    Explanation("soft-mask", "", "network: {attention: {mask: -1e4}}", "network: {attention: {mask: causal}}"),
    Explanation("mean", "", "network: {attention: {query: null, key look: null}}", _FIRST),
    Explanation(
        "learned-position",
        "",
        "parameters: {slope: 3}\nnetwork: {attention: {score look: slope * (key_pos - query_pos)}}\n"
        "expect: {count: {free: 11}}",
        "network: {attention: {score look: key_pos - query_pos}}",
    ),
    Explanation(
        "position-table",
        "",
        "network: {attention: {score look: -query_pos * key_pos}}",
        "network: {attention: {score look: key_pos - query_pos}}",
    ),
    Explanation(
        "hard-coded",
        "",
        "network: {ffn: {up: 2.5 * seen}}",
        "parameters: {gain: 2.5}\nnetwork: {ffn: {up: gain * seen}}\nexpect: {count: {free: 11}}",
    ),
    Explanation("beside-weights", "", "network: {attention: {scale: 0.3}}", "network: {attention: {scale: 1}}"),
    Explanation(
        "index-number",
        "",
        "network: {embedding: {'digit[d]': {own: 'd * t[d]'}}}",
        "network: {embedding: {'digit[d]': {own: 't[d] * t[d]'}}}",
    ),
    Explanation("condition", "", "network: {ffn: {up: 'where(base > 5, 1, 0) * seen'}}", _FIRST),
    Explanation(
        "taken-apart",
        "",
        "network: {ffn: {up: 'floor(t[3]) * seen'}}",
        "network: {ffn: {up: 't[3] * seen'}}",
    ),
    Explanation("large-eps", "", "network: {head: {norm: {rms: 1e-4}}}", "network: {head: {norm: {rms: 1e-6}}}"),
    Explanation(
        "unread-parameter",
        "",
        "parameters: {spare: 3}",
        "parameters: {spare: 3}\nnetwork: {ffn: {up: spare * seen}}\nexpect: {count: {free: 11}}",
    ),
    Explanation(
        "idle-parameter",
        "",
        "parameters: {far: 5}\nexpect: {count: {free: 11}}\n"
        "network: {attention: {score look: 'where(query_pos == 30, far, 0)'}}",
        _FIRST,
    ),
    Explanation(
        "dead-weight",
        "",
        "stream: own seen spare\nnetwork: {ffn: {down spare: unit}}",
        "stream: own seen spare\nnetwork: {ffn: {down seen: unit}}",
    ),
)
