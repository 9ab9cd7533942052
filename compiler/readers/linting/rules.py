"""The table of rules, and the sets of them that `lint --rules NAME` takes."""

from __future__ import annotations

from compiler.readers.linting import attention, claiming, decoding, numbers, positions, weights
from compiler.readers.linting.rule import LintRule, RuleSet
from compiler.tasks.adderboard import NAME as ADDERBOARD

_CORE = "AdderBoard, core constraint"
_COUNT = "AdderBoard, parameter counting"
_QUALIFY = "AdderBoard, qualification"
_ALLOWED = "AdderBoard, what is allowed"

# What the board's rules forbid, or ask for.
BREAKS = (
    LintRule(
        "other-task",
        "breaks",
        "The task, in its sizes, is the one that the board tests.",
        f"{_QUALIFY}: the inputs are two integers in [0, 9,999,999,999]",
        "for a variant that the board does not ask for, use the rules `disclosure`",
        decoding.task_is_tested(ADDERBOARD),
    ),
    LintRule(
        "low-accuracy",
        "breaks",
        "What is claimed about the board's test is enough to qualify.",
        f"{_QUALIFY}: at least 99 % on 10,000 pairs",
        "`eval --failures all` shows which inputs fail",
        claiming.accuracy_suffices(ADDERBOARD),
    ),
    LintRule(
        "self-attention",
        "breaks",
        "Attention brings what other tokens say to the logits.",
        f"{_CORE} 1: self-attention is required",
        "let a value read the tokens, and the output write what the logits read",
        attention.attention_matters,
    ),
    LintRule(
        "later-tokens",
        "breaks",
        "No token is seen by the tokens before it.",
        f"{_CORE} 2: the model is autoregressive",
        "mask: causal, and no `time`",
        attention.sees_later_tokens,
    ),
    LintRule(
        "not-generated",
        "breaks",
        "The answer is generated, each token fed back for the next one.",
        f"{_CORE} 2: output digits are generated one at a time",
        "write the answer after the prompt, as in `answer: sum`",
        decoding.answer_in_place,
    ),
    LintRule(
        "wrong-count",
        "breaks",
        "A count that is claimed is what the rule gives.",
        f"{_COUNT}: unique parameters, learned positions too",
        "`count --by-tensor` shows what is counted",
        claiming.counts_hold,
    ),
)

# What the board allows, but a strict reader wants to know of a submission.
SUBMISSION = (
    LintRule(
        "no-count",
        "disclose",
        "A count is claimed.",
        f"{_COUNT}: unique parameters",
        "such as `expect: {count: {free: 20}}`",
        claiming.count_is_claimed,
    ),
    LintRule(
        "no-accuracy",
        "disclose",
        "It is claimed how much of the board's test is right; lint runs no model.",
        _QUALIFY,
        "such as `expect: {eval: {adderboard: {inputs: 10010, right: 10010}}}`; `eval` checks it",
        claiming.accuracy_is_claimed(ADDERBOARD),
    ),
    LintRule(
        "operand-twice",
        "disclose",
        "The prompt has each digit of the operands once.",
        f"{_ALLOWED}: a fixed input format that does not encode the answer",
        "say so beside the count",
        decoding.operands_once,
    ),
    LintRule(
        "forced-token",
        "disclose",
        "Every token of the answer is predicted, and none is put there.",
        f"{_CORE} 4: the model does the work, not the code",
        "leave the token out of the answer, or give it a logit",
        decoding.forced_tokens,
    ),
    LintRule(
        "argmin",
        "disclose",
        "The token with the highest logit is taken.",
        f"{_CORE} 4: generic decoding, as for any checkpoint",
        "decode: argmax, with the last map negated",
        decoding.lowest_wins,
    ),
    LintRule(
        "soft-mask",
        "disclose",
        "Later tokens are left out by the mask, whatever their scores.",
        f"{_CORE} 2: the model is autoregressive",
        "mask: causal",
        attention.hides_softly,
    ),
    LintRule(
        "mean",
        "disclose",
        "Attention weighs tokens by what they say or where they stand.",
        f"{_CORE} 1: self-attention is required",
        "say so beside the count",
        attention.weighs_tokens,
    ),
)

# What no single figure of `count` shows, of any model.
DISCLOSURE = (
    LintRule(
        "learned-position",
        "disclose",
        "An encoding of positions that reads parameters is known to be learned.",
        f"{_COUNT}: learned positional encodings are counted",
        "claim the rule `free`, which counts them",
        positions.learned_positions,
    ),
    LintRule(
        "position-table",
        "disclose",
        "An encoding of positions is one curve in position or distance.",
        f"{_COUNT}: fixed or sinusoidal positional encodings are not counted; {_CORE} 4: no indexing into positions",
        "say so beside the count: the table is not counted, and holds part of the algorithm",
        positions.tables_of_positions,
    ),
    LintRule(
        "hard-coded",
        "disclose",
        "Each number that enters weights is a parameter, or 0, 1 or -1.",
        f"{_COUNT}: unique parameters",
        "make it a parameter of its own, or state it beside the count",
        numbers.hard_coded,
    ),
    LintRule(
        "beside-weights",
        "disclose",
        "No number in a score, a frequency, a scale or a mask is tuned.",
        f"{_COUNT}: only fixed positional encodings are not counted",
        "make it a parameter of its own, so that `free` counts it, or state it beside the count",
        numbers.beside_weights,
    ),
    LintRule(
        "index-number",
        "disclose",
        "No index of a family is used as a number.",
        f"{_COUNT}: unique parameters",
        "state the numbers as a vector under `parameters`, or say so beside the count",
        numbers.index_numbers,
    ),
    LintRule(
        "condition",
        "disclose",
        "No condition decides which number a weight gets.",
        f"{_COUNT}: unique parameters",
        "write an equation for each case",
        numbers.conditions,
    ),
    LintRule(
        "taken-apart",
        "disclose",
        "No number is taken apart into several.",
        f"{_COUNT}: unique parameters",
        "state each part under `parameters`",
        numbers.taken_apart,
    ),
    LintRule(
        "large-eps",
        "disclose",
        f"The eps of a norm is at most {numbers.USUAL_EPSILON:g}.",
        f"{_COUNT}: unique parameters",
        "say so beside the count",
        numbers.unusual_epsilon,
    ),
    LintRule(
        "unread-parameter",
        "disclose",
        "Every parameter is read by a number of the network.",
        f"{_COUNT}: unique parameters",
        "remove it, or use it",
        numbers.unread_parameters,
    ),
    LintRule(
        "idle-parameter",
        "disclose",
        "An answer depends on every parameter that is read.",
        f"{_COUNT}: unique parameters",
        "remove it: no answer changes, but `free` does",
        numbers.idle_parameters,
    ),
    LintRule(
        "dead-weight",
        "disclose",
        "Every weight that is not zero can change an answer.",
        f"{_COUNT}: unique parameters",
        "remove it: no answer changes, but some counts do",
        weights.dead_weights,
    ),
)

LINT_RULES = (*BREAKS, *SUBMISSION, *DISCLOSURE)
RULE_SETS = {
    rules.name: rules
    for rules in (
        RuleSet("disclosure", "what no figure of `count` shows, of a model for any task", DISCLOSURE),
        RuleSet(ADDERBOARD, "what the leaderboard AdderBoard asks of an entry, and the same disclosures", LINT_RULES),
    )
}
DEFAULT = "disclosure"
