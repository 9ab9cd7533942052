"""What `--json` prints: each value with its fields, their types, and a sentence for each.

This is the one place that says so. `filled` makes the objects, the tests hold what is printed against it, and
`make docs` writes the tables of `docs/json.md` from it. The fields stand in the order in which they are printed.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache
from typing import (
    Annotated,
    Any,
    NotRequired,
    TypedDict,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from compiler.readers.counting.counts import FIGURES

S = TypeVar("S")
File = Annotated[str, "the file, or `--set`"]
LineNumber = Annotated[int, "the line"]


class Errors(TypedDict):
    errors: Annotated[list[Diagnostic], "what is wrong; at least one [diagnostic](#diagnostic)"]
    warnings: Annotated[list[Diagnostic], "what was found besides"]


class Note(TypedDict):
    message: Annotated[str, "why this place matters"]
    file: File
    line: Annotated[int, "from 1"]
    column: Annotated[int, "from 1"]


class Diagnostic(TypedDict):
    severity: Annotated[str, "`error` or `warning`; of a finding of `lint`, `breaks` or `disclose`"]
    code: Annotated[str, "the kind of finding, such as `unknown-name`; stable"]
    message: Annotated[str, "what was found, for people"]
    file: Annotated[
        str | None,
        "the file as it was named, or `--set`; null where the finding is about no place in a text",
    ]
    line: Annotated[int | None, "from 1; 1 for a file that cannot be read; null where `file` is"]
    column: Annotated[int | None, "in characters, from 1; null where `file` is"]
    hint: Annotated[str | None, "what to do; null where there is nothing to add"]
    notes: Annotated[list[Note], "further places that explain it"]


class Claim(TypedDict):
    claim: Annotated[str, "the claim, for people"]
    status: Annotated[str, "`held`, `failed` or `not checked`"]
    reason: Annotated[str, "what was found, or why it was not checked"]
    file: File
    line: Annotated[int, "where the claim is written"]


class OfSpec(TypedDict):
    """What all begin with that are about one spec."""

    spec: Annotated[str, "the path as it was written"]
    name: Annotated[str, "the name of the model"]
    settings: Annotated[list[str], "the settings, `NAME=VALUE`"]


class Asked(OfSpec):
    """What a model is asked."""

    task: Annotated[str | None, "the name of the task; null where the spec states none"]
    sizes: Annotated[
        dict[str, Annotated[int, "the size of that name"]], "the sizes of the task; of ranges their largest"
    ]
    question: Annotated[
        str | None,
        "the SHA-256 of which inputs there are and of what is right for each, as formulas say it: the same for models "
        "that are asked the same, whatever it is called; null without a task",
    ]


class New(TypedDict):
    written: Annotated[str, "the path of the new spec"]
    template: Annotated[str, "the template that it was made from"]


class Formatted(TypedDict):
    spec: Annotated[str, "the file, as it was named"]
    changed: Annotated[bool, "whether it was changed, or would be"]
    diagnostics: Annotated[list[Diagnostic], "why it cannot be formatted; empty where it can"]
    diff: NotRequired[Annotated[list[str], "what would change, as lines of a unified diff; absent without `--diff`"]]


class RenewedClaims(TypedDict):
    spec: Annotated[str, "the path as it was written"]
    changed: Annotated[bool, "whether its claims were changed, or would be"]
    written: Annotated[bool, "whether the file was written"]
    diff: Annotated[list[str], "what changes, as lines of a unified diff"]
    verdict: Annotated[
        str | None, "`proved`, `refuted` or `open`; null where no wrong answer tells it and no `--verify` was given"
    ]
    claims: Annotated[list[Claim], "all claims of the spec as it is then, each like a [claim](#claim)"]


class Validated(TypedDict):
    spec: Annotated[str, "the path as it was written"]
    valid: Annotated[bool, "whether there is no error"]
    diagnostics: Annotated[list[Diagnostic], "errors and warnings, in file order: [diagnostics](#diagnostic)"]


class Linted(TypedDict):
    spec: Annotated[str, "the path as it was written"]
    rules: Annotated[str, "the set of rules"]
    valid: Annotated[bool, "whether the spec has no error; if it has, no rule was tried"]
    breaks: Annotated[int, "findings that break a rule"]
    disclose: Annotated[int, "findings that are allowed"]
    findings: Annotated[list[Diagnostic], "both, in file order: [diagnostics](#diagnostic), `code` being the rule"]
    diagnostics: Annotated[list[Diagnostic], "errors and warnings of the spec itself"]


class LintRule(TypedDict):
    code: Annotated[str, "the rule"]
    level: Annotated[str, "`breaks` or `disclose`"]
    sets: Annotated[list[str], "the sets of rules that have it"]
    asks: Annotated[str, "what a spec has to be like"]
    source: Annotated[str, "whose rule it is"]
    fix: Annotated[str, "what to do"]


class Explained(TypedDict):
    code: Annotated[str, "the code"]
    kind: Annotated[str, "`error`, `warning`, or of a rule of `lint` its level: `breaks` or `disclose`"]
    means: Annotated[str, "what it means, and what to do"]
    wrong: Annotated[str | None, "an example that gives it: a part of a spec, or what is typed; null where none can"]
    right: Annotated[str | None, "an example that does not; null where none is needed"]


class Definition(TypedDict):
    name: Annotated[str, "the name"]
    kind: Annotated[str, "`constant`, `size`, `parameter` or `derived`"]
    written: Annotated[str, "as it stands in the spec"]
    values: Annotated[list[float], "the number, or those of a vector; a parameter's are rounded to the dtype"]
    file: File
    line: Annotated[int, "where it is written"]


class StepEquation(TypedDict):
    file: File
    line: Annotated[int, "where it is written"]
    left: Annotated[str, "map and target, as written"]
    right: Annotated[str, "the expression, as written"]


class Step(TypedDict):
    name: Annotated[str, "the name of the torch module"]
    summary: Annotated[str, "what the step computes, for people"]
    stream_after: Annotated[list[str], "the dimensions of the stream after the step"]
    equations: Annotated[list[StepEquation], "the lines of the step in the order of computation"]


class Word(TypedDict):
    name: Annotated[str, "the name of the word"]
    alphabet: Annotated[str, "the alphabet of its symbols"]
    lengths: Annotated[list[int], "how many symbols it has; several numbers where sizes are ranges"]


class Rule(TypedDict):
    rule: Annotated[str, "what it is about, such as `only`, `number(sum)` or `next carry`"]
    written: Annotated[str, "its right side"]
    file: File
    line: LineNumber


class Task(TypedDict):
    kind: Annotated[str, "what the task is called"]
    sizes: Annotated[dict[str, Annotated[list[int], "the size of that name; its values if it is a range"]], "its sizes"]
    alphabets: Annotated[
        dict[str, Annotated[list[str], "the tokens of symbols 0, 1, … of that alphabet"]], "its alphabets"
    ]
    given: Annotated[list[Word], "the words that an input consists of"]
    answers: Annotated[list[Word], "the words that are right or wrong"]
    rules: Annotated[list[Rule], "which inputs there are, and what is right"]
    cases: Annotated[int, "the cases of its table; 0 without one"]
    window: Annotated[int | None, "how many of the last tokens the model sees; null: all"]
    suites: Annotated[list[str], "its suites of inputs"]


class Spec(OfSpec):
    dtype: Annotated[str, "`float64`, `float32`, `bfloat16` or `float16`"]
    vocabulary: Annotated[list[str], "the tokens in the order of their ids"]
    classes: Annotated[int, "the number of tokens that have a logit: the first ones"]
    decode: Annotated[str, "`argmax` or `argmin`"]
    context: Annotated[int, "the longest sequence, in tokens"]
    prompt: Annotated[
        str | None,
        "the layout of the prompt; `a*10` is a run of ten; of sizes that are ranges, the largest; null without a task",
    ]
    answer: Annotated[str | None, "the layout of the answer; null without a task"]
    answer_read_at: Annotated[
        list[int] | None,
        "the position in the prompt at which each token of the answer is read; null where it is generated",
    ]
    task: Annotated[Task | None, "what the model is asked; null without a task"]
    definitions: Annotated[list[Definition], "constants, task sizes, parameters and derived values"]
    steps: Annotated[list[Step], "the steps in order"]
    tensors: Annotated[list[Tensor], "what is stored, tied tensors once: each as in [show TENSOR](#show-tensor)"]


class Entry(TypedDict):
    index: Annotated[list[int], "its place in the tensor"]
    place: Annotated[str, "the same by names: output, then input; `*` where it is broadcast"]
    value: Annotated[float, "the weight, rounded to the dtype"]
    file: File
    line: Annotated[int, "the line of the equation"]
    equation: Annotated[str, "the equation"]


class Tensor(TypedDict):
    name: Annotated[str, "the name in the state dict"]
    shape: Annotated[list[int], "the shape; what is broadcast is stored once, so that its first size is 1"]
    entries: Annotated[list[Entry], "each number that an equation writes, zeros too; all others are zero"]


class DefinitionValue(TypedDict):
    kind: Annotated[str, "`constant`, `size`, `parameter` or `derived`"]
    written: Annotated[str, "as it stands in the spec"]
    value: Annotated[object, "the number; a list of the numbers of a vector, a list of the rows of a matrix"]
    file: File
    line: Annotated[int, "where it is written"]


class Resolved(TypedDict):
    name: Annotated[str, "the name of the model"]
    dtype: Annotated[str, "`float64`, `float32`, `bfloat16` or `float16`"]
    definitions: Annotated[
        dict[str, Annotated[DefinitionValue, "the definition of that name"]],
        "constants, task sizes, parameters and derived values",
    ]
    vocabulary: Annotated[list[str], "the tokens in the order of their ids"]
    stream: Annotated[list[str], "the dimensions of the residual stream after the embedding"]
    task: Annotated[Task | None, "what the model is asked; null without a task"]
    prompt: Annotated[
        list[str] | None,
        "the layout of the prompt: tokens, and symbols of words such as `a[0]`; of sizes that are ranges, the largest; "
        "null without a task",
    ]
    answer: Annotated[list[str] | None, "the layout of the answer; null without a task"]
    answer_read_at: Annotated[
        list[int] | None,
        "the position in the prompt at which each token of the answer is read; null where it is generated",
    ]
    context: Annotated[int, "the longest sequence, in tokens"]
    decode: Annotated[str, "`argmax` or `argmin`"]


class NetworkValue(TypedDict):
    kind: Annotated[str, "`Network`"]
    name: Annotated[str, "the name of the model"]
    dtype: Annotated[str, "the dtype of the model"]
    vocabulary: Annotated[list[str], "the tokens in the order of their ids"]
    context: Annotated[int, "the longest sequence, in tokens"]
    steps: Annotated[
        list[dict[str, Annotated[object, "a field of the class; fields without a value are left out"]]],
        "the steps in order; `kind` is a class of `compiler/network/ir.py`, the other fields are its fields",
    ]
    decode: Annotated[str, "`argmax` or `argmin`"]


class ProgramNode(TypedDict):
    number: Annotated[int, "its place among the nodes, from 0"]
    step: Annotated[str, "the step of the network that it comes from"]
    operation: Annotated[str, "a class of `compiler/backends/elementary/program.py`"]
    settings: NotRequired[
        Annotated[
            dict[str, Annotated[object, "a field of the class; of a large one the size, as text"]],
            "what the operation computes with; absent where it has no settings",
        ]
    ]
    inputs: Annotated[list[int], "the nodes that it reads, by number"]
    channels: Annotated[int, "the size of its result at each position"]
    live: NotRequired[Annotated[str, "the channels that are computed, such as `0-2, 4`; absent where all are"]]
    positions: NotRequired[Annotated[str, "the positions that are computed, likewise; absent where all are"]]
    exact: NotRequired[
        Annotated[str, "under hard attention, the channels that are never rounded, likewise; absent where none is"]
    ]


class ProgramDecision(TypedDict):
    input: Annotated[int, "the node that it reads"]
    read_at: Annotated[list[int], "the position at which each token of the answer is read"]
    classes: Annotated[int, "the number of tokens that have a logit"]
    decode: Annotated[str, "`argmax` or `argmin`"]
    rows: NotRequired[
        Annotated[
            object,
            "the weights of the logits by row and channel; their number, as text, where they are many; "
            "absent where the node has the logits",
        ]
    ]
    bias: NotRequired[Annotated[object, "what is added to them; absent where nothing is"]]


class Program(TypedDict):
    length: Annotated[int, "the length of the sequence, in tokens"]
    dtype: Annotated[str, "the dtype of the model"]
    tokens: Annotated[int, "the size of the vocabulary"]
    slots: Annotated[list[int], "the tokens of the answer that it decides, by their places, from 0"]
    prefixes: Annotated[list[int], "for each of them, how many tokens the torch module reads to say it"]
    starts: Annotated[
        list[int],
        "where the sequence begins in prompt and answer, several where a window slides: "
        "as far as a start is behind the first, so are the slots",
    ]
    nodes: Annotated[list[ProgramNode], "the operations in order"]
    decision: Annotated[ProgramDecision, "how the tokens are decided"]


class Figures(TypedDict):
    dense: Annotated[int, FIGURES["dense"].says]
    nonzero: Annotated[int, FIGURES["nonzero"].says]
    distinct: Annotated[int, FIGURES["distinct"].says]
    values: Annotated[int, FIGURES["values"].says]
    free: Annotated[int | None, f"{FIGURES['free'].says}; null where the spec declares none"]


class HardCoded(TypedDict):
    name: Annotated[str | None, "the definition that it stands in; null for a number in an equation"]
    value: Annotated[float, "the number"]
    whole: Annotated[bool, "whether the number is all that is written for it; false for a number in an equation"]
    file: Annotated[str, "the file that it is written in, or `--set`"]
    line: LineNumber


class Counted(TypedDict):
    counts: Annotated[Figures, "the figure by each rule"]
    dense_untied: Annotated[int, FIGURES["dense_untied"].says]
    embedding: Annotated[int, FIGURES["embedding"].says]
    positions: Annotated[int, FIGURES["positions"].says]
    non_embedding: Annotated[int, FIGURES["non_embedding"].says]
    values_with_zero: Annotated[int, FIGURES["values_with_zero"].says]
    claimed: Annotated[int | None, "the number that the author publishes; null where there is none, and with `--set`"]
    claimed_rule: Annotated[str | None, "the rule that gives it; null where none does"]
    claimed_note: Annotated[str | None, "the author's note; null where there is none"]
    hard_coded: Annotated[list[HardCoded], "other numbers than 0, 1 and -1 that enter weights"]


class Equation(TypedDict):
    file: File
    line: LineNumber
    equation: Annotated[str, "the equation"]


class CountedLine(Equation):
    written: Annotated[int, "how many numbers it writes"]
    nonzero: Annotated[int, "how many of them are not zero"]


class CountedTensor(TypedDict):
    name: Annotated[str, "the name in the state dict"]
    shape: Annotated[list[int], "the shape"]
    dense: Annotated[int, "stored scalars: 0 for a tie"]
    nonzero: Annotated[int, "of these, those that are not zero"]
    tied_to: Annotated[str | None, "what it is tied to, with `.T` for its transpose; null where it is stored itself"]
    lines: Annotated[list[CountedLine], "the lines of the spec that write into it"]


class Assertion(TypedDict):
    assertion: Annotated[str, "such as `free<=20`"]
    figure: Annotated[str, "the rule"]
    found: Annotated[int | None, "the figure; null for an undeclared `free`"]
    holds: Annotated[bool, "whether it is so; the exit code is 1 where it is not"]


class Count(Asked, Counted):
    free_names: Annotated[list[str], "the parameters that `free` counts"]
    tensors: Annotated[list[CountedTensor], "the figures by tensor, ties too"]
    claims: Annotated[list[Claim], "the [claims](#claim) of the spec; those about suites are `not checked` here"]
    assertions: Annotated[list[Assertion], "one for each `--assert`"]


class CountedWithErrors(Errors):
    counted: Annotated[list[Count], "those that are valid: each as in [count](#count)"]


class NameRead(TypedDict):
    name: Annotated[str, "the name"]
    kind: Annotated[str, "`index` or `let`"]
    value: Annotated[float | None, "what it stands for here; null where that is no number by itself"]
    written: Annotated[str | None, "the expression; null for an index"]
    file: Annotated[str | None, "the file, or `--set`; null for an index"]
    line: Annotated[int | None, "the line; null for an index"]


class SourceNumber(TypedDict):
    name: Annotated[str | None, "the definition, with its index: `t[3]`; null for a literal"]
    kind: Annotated[str, "`parameter`, `derived`, `constant`, `size` or `literal`"]
    value: Annotated[float, "its value; that of a parameter is rounded to the dtype"]
    written: Annotated[str, "as it stands in the spec"]
    file: File
    line: LineNumber
    computed_from: Annotated[list[int], "the numbers that it was computed from, as positions in `numbers`"]


class EquationNear(TypedDict):
    axis: Annotated[str, "`row` or `column`"]
    label: Annotated[str, "its name"]
    file: File
    line: LineNumber
    equation: Annotated[str, "the equation"]
    places: Annotated[list[str], "what it writes there"]


class Why(OfSpec):
    tensor: Annotated[str, "the tensor that was asked for"]
    place: Annotated[str, "the place in it by names: row, then column; `*` for all targets"]
    stored_as: Annotated[str, "the tensor that is stored: another name where it is tied"]
    index: Annotated[list[int], "the place in that one"]
    shape: Annotated[list[int], "its shape"]
    broadcast: Annotated[bool, "whether the number is stored once for all targets"]
    value: Annotated[float, "the weight, rounded to the dtype"]
    dtype: Annotated[str, "the dtype of the model"]
    part: Annotated[str | None, "which part of the equation it is, for people; null where no equation writes it"]
    equation: Annotated[str | None, "the equation; null where none writes it, so that it is zero"]
    file: Annotated[str | None, "the file, or `--set`; null without an equation"]
    line: Annotated[int | None, "the line of the equation; null without one"]
    source: Annotated[str | None, "the text of that line; null without an equation"]
    tied_by: Annotated[list[Equation], "the equation that makes the tensor another one's; none where it is not tied"]
    names: Annotated[list[NameRead], "indices of the target, and names under `let` that the equation reads"]
    computed_from: Annotated[list[int], "the numbers that the equation read, as positions in `numbers`"]
    numbers: Annotated[list[SourceNumber], "every number behind the weight, each once"]
    near: Annotated[
        list[EquationNear],
        "of a zero that no equation writes: equations that write its row, or else its column",
    ]


class TextChange(TypedDict):
    section: Annotated[str, "`spec`, `constant`, `size`, `parameter`, `derived`, `step`, `equation` or `option`"]
    section_before: Annotated[
        str | None,
        "the old section of a number that moved, as from `constant` to `parameter`; null elsewhere",
    ]
    path: Annotated[str, "the name, or the keys that lead there"]
    before: Annotated[str | None, "as it was; null where it is new"]
    after: Annotated[str | None, "as it is; null where it is gone"]
    file_before: Annotated[str | None, "the file, or `--set`; null where there is no line"]
    line_before: Annotated[int | None, "where it was written; null where it is new"]
    file_after: Annotated[str | None, "the file, or `--set`; null where there is no line"]
    line_after: Annotated[int | None, "where it is written; null where it is gone"]


class NameChange(TypedDict):
    kind: Annotated[
        str, "`step`, `token`, `dimension`, `head`, `unit`, `constant`, `size`, `parameter`, `derived` or `tensor`"
    ]
    before: Annotated[str, "the old name"]
    after: Annotated[str, "the new name"]


class ShapeChange(TypedDict):
    tensor: Annotated[str, "the name in the state dict"]
    before: Annotated[list[int] | None, "the old shape; null where the tensor is new"]
    after: Annotated[list[int] | None, "the new shape; null where the tensor is gone"]


class TieChange(TypedDict):
    tensor: Annotated[str, "the name in the state dict"]
    before: Annotated[str | None, "the tensor that it was; null where it was one of its own"]
    after: Annotated[str | None, "the tensor that it is; null where it is one of its own"]


class ProductChange(TypedDict):
    tensor: Annotated[str, "the name of the matrix, or of its first factor"]
    before: Annotated[list[str], "the old factors from left to right; one where it was stored as a whole"]
    after: Annotated[list[str], "the new factors"]
    equal: Annotated[
        bool | None,
        "whether the products are the same, computed exactly and rounded once; null where that is too much",
    ]


class WeightChange(TypedDict):
    tensor: Annotated[str, "the tensor, or a table of scores, frequencies or scales of an attention"]
    at: Annotated[str, "the place in it by names"]
    before: Annotated[float | None, "the old number; null where there was none"]
    after: Annotated[float | None, "the new number; null where there is none"]
    ulps: Annotated[int | None, "how many numbers of the dtype they are apart; null where not both are weights"]


class WeightChanges(TypedDict):
    causes: Annotated[list[str], "the names through which they changed; empty where no name did"]
    ratio: Annotated[float | None, "new by old, where it is the same for the whole group; null elsewhere"]
    entries: Annotated[list[WeightChange], "the numbers"]


class NumberChange(TypedDict):
    tensor: Annotated[str, "the tensor"]
    at: Annotated[str, "the place in it"]
    before: Annotated[float, "the old number"]
    after: Annotated[float, "the new number"]
    ulps: Annotated[
        int | None,
        "how many numbers of `ulps_dtype` they are apart; null for a NaN, or where that is null",
    ]


class TensorChange(TypedDict):
    name_before: Annotated[str | None, "the old name; null where the tensor is new"]
    name_after: Annotated[str | None, "the new name; null where the tensor is gone"]
    shape_before: Annotated[list[int] | None, "the old shape; null where the tensor is new"]
    shape_after: Annotated[list[int] | None, "the new shape; null where the tensor is gone"]
    dtype_before: Annotated[str | None, "the old dtype; null where the tensor is new"]
    dtype_after: Annotated[str | None, "the new dtype; null where the tensor is gone"]
    differing: Annotated[int, "how many numbers differ, in value or in the sign of a zero; 0 where the shapes do"]
    largest: Annotated[float | None, "the largest difference; null where no two numbers have one"]
    ulps: Annotated[
        int | None,
        "the largest difference, in numbers of `ulps_dtype`; null where no two numbers have one",
    ]
    ulps_dtype: Annotated[
        str | None,
        "the dtype of fewer digits of the two; null where no numbers differ, or they are integers",
    ]
    transposed: Annotated[bool, "whether it is equal when it is transposed"]
    entries: Annotated[
        list[NumberChange],
        "numbers that differ, as under `weights`; `at` has indices where no spec names the places",
    ]


class CountChange(TypedDict):
    rule: Annotated[str, "the rule, `hard_coded` included"]
    before: Annotated[int | None, "the old figure; null where `free` was undeclared"]
    after: Annotated[int | None, "the new figure; null where `free` is undeclared"]


class Difference(TypedDict):
    before: Annotated[
        str,
        "the first model: its name, and its settings as `--set NAME=VALUE`; of a state dict the name of the file",
    ]
    after: Annotated[str, "the second model, likewise"]
    equal: Annotated[bool, "whether the two say the same; then all lists of differences are empty"]
    alike: Annotated[
        list[str] | None,
        "null where numbers or options of the networks differ, or tensors; else all are equal, apart from what it "
        "lists: `up to names`, `multiplied out`, `apart from ties`",
    ]
    notes: Annotated[list[str], "what was read of saved models"]
    texts: Annotated[list[TextChange], "what is written differently"]
    names: Annotated[list[NameChange], "names for the same thing that differ"]
    shapes: Annotated[list[ShapeChange], "tensors whose shape differs"]
    ties: Annotated[list[TieChange], "tensors that are another one now, or were"]
    products: Annotated[list[ProductChange], "matrices that are stored as other factors"]
    weights: Annotated[list[WeightChanges], "numbers that differ, grouped by cause"]
    tensors: Annotated[
        list[TensorChange],
        "tensors of files that differ, where one is a state dict or stores other tensors than its spec says",
    ]
    counts: Annotated[list[CountChange], "counts that differ"]


class Saved(TypedDict):
    file: NotRequired[Annotated[str, "the file that the model was saved to; absent without `-o`"]]
    bytes: NotRequired[Annotated[int, "the size of that file; absent without `-o`"]]


class BuiltModule(OfSpec):
    parameters: Annotated[int, "stored scalars of the module, tied tensors once"]
    state_dict: Annotated[
        dict[str, Annotated[list[int], "the shape of the tensor NAME"]],
        "each tensor of the state dict, tied ones too",
    ]


class Built(BuiltModule, Saved): ...


class Engine(TypedDict):
    name: Annotated[str, "`plain` or `fast`: the [engine](evaluation.md#engines) that ran, not what was asked for"]
    detail: Annotated[str, "how it ran, for people"]
    reason: Annotated[str | None, "why the plain engine took the place of the fast one; null where it did not"]


class Failure(TypedDict):
    input: Annotated[str, "the input"]
    expected: Annotated[str, "the right answer"]
    got: Annotated[str, "what greedy decoding says"]


class FailureClass(TypedDict):
    slot: Annotated[str, "the first wrong token by its place in the answer, such as `sum[3]` or `<eos>`"]
    expected: Annotated[str, "the right symbol or token there"]
    said: Annotated[str, "what the model says there; `NaN` where a logit was NaN"]
    count: Annotated[int, "the inputs of the class"]
    input: Annotated[str, "the first of them"]


class Part(TypedDict):
    label: Annotated[str, "such as `8 digits`; empty where the suite has one part"]
    right: Annotated[int, "of the part's inputs, those that were answered right"]
    inputs: Annotated[int, "the part's inputs"]
    pairs: Annotated[int, "the same: the old name of `inputs`"]
    close: Annotated[int, "inputs that the engine was not sure of, and the plain module decided one at a time"]
    batched: Annotated[
        int,
        "inputs of which it is only [batches](evaluation.md#batches) that say whether they are right; 0 without "
        "`--batch` and `--device`",
    ]
    failures: Annotated[
        list[Failure],
        "the first inputs that were answered wrong, five if `--failures` says nothing else",
    ]
    classes: Annotated[list[FailureClass], "the [failure classes](evaluation.md#failure-classes), the largest first"]
    other: Annotated[int, "wrong inputs of further classes, of which 100,000 at most are told apart; usually 0"]


class Suite(TypedDict):
    suite: Annotated[str, "the name"]
    seed: Annotated[int | None, "the seed; null for a suite that draws nothing"]
    right: Annotated[int, "of its inputs, those that were answered right"]
    inputs: Annotated[int, "its inputs"]
    pairs: Annotated[int, "the same: the old name of `inputs`"]
    seconds: Annotated[float, "its time, with that of an earlier run that it went on from"]
    resumed: Annotated[int, "inputs that were judged in that [earlier run](evaluation.md#long-runs); 0 without one"]
    parts: Annotated[list[Part], "inputs that are counted apart, such as those of one length; often a single part"]


class ModelFile(TypedDict):
    file: Annotated[str, "its path as it was written"]
    kind: Annotated[str, "`safetensors`, `TorchScript` or `torch.export`"]
    sha256: Annotated[str, "the SHA-256 of the file"]
    like: Annotated[str | None, "the path of the spec whose network it has; null where it has code of its own"]


class Evaluation(OfSpec, Saved):
    model: NotRequired[
        Annotated[
            ModelFile,
            "the model of another program, which is asked what `spec` says, a spec or a file with a task; absent where "
            "it is the model of the spec",
        ]
    ]
    protocol: Annotated[str | None, "the [protocol](evaluation.md#protocols) that was run; null without one"]
    threshold: Annotated[
        float | None,
        "the share of its inputs that has to be right, such as 0.99; null without a protocol",
    ]
    qualified: Annotated[bool | None, "whether it is; null without a protocol"]
    right: Annotated[int, "inputs that were answered right"]
    inputs: Annotated[int, "inputs"]
    pairs: Annotated[int, "the same: the old name of `inputs`"]
    batched: Annotated[
        int,
        "inputs of which it is only [batches](evaluation.md#batches) that say whether they are right",
    ]
    seconds: Annotated[float, "time of all suites"]
    engine: Annotated[Engine, "what computed most of it"]
    decoding: Annotated[str, "`teacher` or `greedy`: how it was decided, not what was asked for"]
    dtype: Annotated[str, "the dtype of the model"]
    device: Annotated[str, "the torch device"]
    threads: Annotated[int, "threads of torch"]
    torch: Annotated[str, "the version of torch"]
    suites: Annotated[list[Suite], "the suites in the order in which they ran"]
    claims: Annotated[list[Claim], "the [claims](#claim) of the spec"]


class Answer(OfSpec):
    input: Annotated[str, "the input"]
    answer: Annotated[str, "what the model answers, or a text that says why this is no answer"]
    expected: Annotated[str, "the right answer"]
    right: Annotated[bool, "whether every token is right"]
    prompt_tokens: Annotated[list[str], "the tokens of the prompt"]
    answer_tokens: Annotated[list[str | None], "the tokens of the answer, forced ones too; null where a logit was NaN"]
    right_tokens: Annotated[list[str], "the tokens of the right answer"]


class Candidate(TypedDict):
    token: Annotated[str, "its name"]
    logit: Annotated[float, "its logit, in the shortest text that reads back in the dtype"]
    probability: Annotated[float, "its probability, a double"]


class NextToken(TypedDict):
    token: Annotated[str | None, "the token that is said; null where a logit is NaN, so that nothing is"]
    logit: Annotated[float | None, "its logit; null without a token"]
    probability: Annotated[float | None, "its probability; null without a token"]
    candidates: Annotated[list[Candidate], "all tokens with a logit, or the first `--top`; those that win come first"]


class Generation(OfSpec):
    decode: Annotated[str, "`argmax` or `argmin`: of negative logits the probabilities are the softmax then"]
    temperature: Annotated[float, "what logits are divided by before the softmax"]
    seed: Annotated[int | None, "the seed that tokens were drawn with; null where `decode` took them"]
    window: Annotated[int | None, "how many tokens the model saw at most; null without a window"]
    tokens: Annotated[list[str], "the tokens that the model went on from"]
    said: Annotated[list[str], "the tokens that it said"]
    ended: Annotated[str, "why nothing follows: `steps`, `until`, `context`, `nan` or `interrupted`"]
    interrupted: Annotated[bool, "whether Ctrl-C ended it; what was said before is here"]
    steps: Annotated[list[NextToken], "the numbers behind each token, and those of a last one that is none"]


class AblatedUnit(TypedDict):
    kind: Annotated[str, "`head`, `hidden` or `stream`"]
    step: Annotated[str | None, "the step that it is in; null for a dimension of the stream, which is that after all"]
    name: Annotated[str, "the head, the hidden unit or the dimension"]
    right: Annotated[int, "inputs that are answered right without it"]
    changed: Annotated[int, "inputs that are answered otherwise without it"]


class Ablation(OfSpec):
    by: Annotated[str, "what stands in the place of a unit: `zero`, or with `resample` its value for another input"]
    suites: Annotated[list[str], "the suites that were run"]
    seed: Annotated[int | None, "the seed of what was drawn; null where nothing was"]
    inputs: Annotated[int, "inputs that were run, in batches"]
    right: Annotated[int, "inputs that the whole model answers right"]
    units: Annotated[list[AblatedUnit], "heads and hidden units step by step, then the dimensions of the stream"]


class Failing(TypedDict):
    at_least: Annotated[int, "surely so many"]
    at_most: Annotated[int, "surely not more; all others are proved right"]


class AnswerStep(TypedDict):
    slot: Annotated[int, "its place in the answer, from 0"]
    place: Annotated[str, "the same by names"]
    right: Annotated[int, "inputs for which it is right"]
    wrong: Annotated[
        int,
        "inputs for which it is wrong; of a task that cannot be followed, those whose first wrong token it is",
    ]
    open: Annotated[int, "inputs for which it is not decided; the three add up to `inputs`"]
    cells: Annotated[int, "sets of inputs that were looked at"]
    window: Annotated[int, "columns of the input that had to be told apart"]
    margin: Annotated[Margin | None, "the smallest [margin](#margin) of this token; null where none was computed"]
    seen: Annotated[
        Lead | None,
        "the smallest [lead](#lead) of this token that was met; null where it is not right on all inputs",
    ]
    why_open: Annotated[str | None, "why inputs are undecided, in a sentence; null where none is"]
    reason: Annotated[Reason | None, "the same [for scripts](#reason); null where none is"]


class Machine(TypedDict):
    architecture: Annotated[str, "such as `x86_64`"]
    cpu: Annotated[str, "the instructions that torch uses, such as `AVX2`"]


class Certificate(TypedDict):
    format: Annotated[
        int,
        "the version of the certificate's format, 2; raised where a field is dropped or changes its meaning, not "
        "where one is added",
    ]
    weightspec: Annotated[str, "the version of the compiler"]
    spec: Annotated[str, "the path as it was written"]
    name: Annotated[str, "the name of the model"]
    settings: Annotated[list[str], "the settings, `NAME=VALUE`"]
    spec_sha256: Annotated[
        str,
        "the SHA-256 of the whole spec as one text, with `extends` and `--set` done: that of a [saved "
        "model](saving.md)",
    ]
    task: Annotated[str, "the kind of the task"]
    sizes: Annotated[dict[str, Annotated[int, "the size of that name"]], "the sizes of the task"]
    definitions: Annotated[list[Definition], "constants, task sizes, parameters and derived values"]
    verdict: Annotated[str, "`proved`, `refuted` or `open`"]
    method: Annotated[
        str,
        "`abstract interpretation`; `enumeration` where inputs were tried one by one, every one unless `ending` "
        "says otherwise; `none` where nothing could be looked at; `several` where `by_size` has more than one",
    ]
    counts: Annotated[
        str,
        "`exact`; `bounds` where `only` excludes some of the inputs that were followed, and it is not known how many: "
        "then there are at most so many `inputs`, and the numbers of `steps` are of all that were followed",
    ]
    cross_checked: Annotated[
        int | None,
        "for so many inputs the equations say what the columns say; null where the task does not have both",
    ]
    inputs: Annotated[int, "all inputs of the task"]
    inputs_text: Annotated[str, "the same in digits"]
    failing: Annotated[Failing, "how many of them are answered wrong"]
    margin: Annotated[Margin | None, "the smallest [margin](#margin) of all tokens; null where none was computed"]
    seen: Annotated[
        Lead | None,
        "the smallest [lead](#lead) that the torch module had in a search, over all tokens that are right on all "
        "inputs; null where there are none",
    ]
    tried: Annotated[int, "inputs that were looked at for `seen`"]
    counterexample: Annotated[
        Counterexample | None,
        "an input that is answered wrong: a [counterexample](#counterexample); null unless `refuted`",
    ]
    why_open: Annotated[list[str], "why inputs are undecided, in sentences; empty where none is"]
    reasons: Annotated[list[Reason], "the same [for scripts](#reason)"]
    steps: Annotated[
        list[AnswerStep],
        "the predicted tokens of the answer, in order; each after the right ones before it; empty where sizes are "
        "ranges",
    ]
    by_size: Annotated[list[Choice], "where sizes are ranges, what was found for [each choice](#choice); else empty"]
    dtype: Annotated[str, "the dtype of the model"]
    assumptions: Annotated[str, "what the verdict takes for granted about arithmetic"]
    engine: Annotated[int, "the version of what decides"]
    torch: Annotated[str, "the version of torch"]
    machine: Annotated[Machine, "where it ran"]
    budget: Annotated[float, "the seconds that it was given"]
    seconds: Annotated[float, "those that it took"]
    ending: Annotated[str, "`complete`, or what ended it early: `budget` or `interrupted`"]
    claims: Annotated[list[Claim], "the [claim](#claim) about all inputs, if the spec has one"]


class SizeVerdict(TypedDict):
    size: Annotated[str, "the sizes, such as `length 3`"]
    verdict: Annotated[str, "`proved`, `refuted` or `open` on all inputs of these sizes"]


class Choice(TypedDict):
    sizes: Annotated[dict[str, Annotated[int, "the size of that name"]], "those that are ranges"]
    verdict: Annotated[str, "`proved`, `refuted` or `open`, for these sizes"]
    method: Annotated[str, "as that of the whole; and so are all others"]
    counts: Annotated[str, "`exact` or `bounds`"]
    cross_checked: Annotated[int | None, "of how many inputs; null as that of the whole"]
    inputs: Annotated[int, "all inputs of these sizes"]
    inputs_text: Annotated[str, "the same in digits"]
    failing: Annotated[Failing, "how many of them are answered wrong"]
    margin: Annotated[Margin | None, "the smallest [margin](#margin); null where none was computed"]
    seen: Annotated[Lead | None, "the smallest [lead](#lead) that was met; null where there are none"]
    tried: Annotated[int, "inputs that were looked at for `seen`"]
    counterexample: Annotated[Counterexample | None, "a [counterexample](#counterexample); null unless `refuted`"]
    why_open: Annotated[list[str], "why inputs are undecided, in sentences"]
    reasons: Annotated[list[Reason], "the same [for scripts](#reason)"]
    steps: Annotated[list[AnswerStep], "the predicted tokens of the answer, in order"]
    assumptions: Annotated[str, "what the verdict takes for granted about arithmetic"]
    seconds: Annotated[float, "those that it took"]
    ending: Annotated[str, "`complete`, `budget` or `interrupted`"]


class Margin(TypedDict):
    proved: Annotated[float, "it leads by at least so much, for all inputs that are proved right"]
    rounding: Annotated[float, "by how much rounding may change the lead there; it is taken off"]
    slot: Annotated[int, "the place in the answer, from 0"]
    place: Annotated[str, "the same by names"]


class Lead(TypedDict):
    lead: Annotated[float, "in units of the logits"]
    slot: Annotated[int, "the place in the answer, from 0"]
    place: Annotated[str, "the same by names"]
    input: Annotated[str, "the input"]
    operands: Annotated[list[int], "the same as numbers"]


class Reason(TypedDict):
    kind: Annotated[
        str,
        "`time`, also after an interruption; `joined`: different inputs were joined in a cell; `step`: an error "
        "grows too much at a step; `rounding`; `refused`: the network or the inputs cannot be followed; `too many` "
        "inputs to be tried one by one; `only`: what is wrong may be no input",
    ]
    step: Annotated[str | None, "the name of the step; null for other kinds than `step`"]
    number: Annotated[
        float | None,
        "for `step`, the share of its result that is not known, from 0 to 1; for `rounding`, by how much it may "
        "change a lead, 0 in a tie; null for others",
    ]
    text: Annotated[str, "a sentence"]


class Counterexample(TypedDict):
    input: Annotated[str, "the input"]
    operands: Annotated[list[int], "the same as numbers"]
    slot: Annotated[int, "the place of the first wrong token in the answer, from 0"]
    place: Annotated[str, "the same by names"]
    expected: Annotated[str, "the right symbol or token there"]
    said: Annotated[str, "what the model says there"]
    right: Annotated[str, "the right answer"]
    answer: Annotated[str, "what the model answers"]


class VerifiedWithErrors(Errors):
    verified: Annotated[list[Certificate], "those that are valid: each as in [verify](#verify)"]


class ValueVerdict(TypedDict):
    value: Annotated[float, "the value"]
    setting: Annotated[str, "`NAME=VALUE`, as `--set` takes it"]
    verdict: Annotated[str, "`proved`, `refuted` or `open`"]
    failing: Annotated[Failing, "how many inputs are answered wrong"]
    inputs: Annotated[int, "all inputs of the task"]
    why_open: Annotated[list[str], "why inputs are undecided, in a word or two each; empty where none is"]
    seconds: Annotated[float, "those that it took"]
    known: Annotated[bool, "whether the journal had it"]


class Threshold(OfSpec):
    varied: Annotated[str, "the name whose values were tried"]
    refuted: Annotated[float | None, "the refuted value next to the proved ones; null where none is refuted"]
    proved: Annotated[float | None, "the proved value next to the refuted ones; null where none is proved"]
    open: Annotated[list[float], "the values between these two that are open"]
    ending: Annotated[
        str,
        "`precise`: the two are as close as was asked for; `open`: there are open values between them, or an end is "
        "open; `verdicts`: there were enough; `interrupted`",
    ]
    values: Annotated[list[ValueVerdict], "each value that was tried, in the order of time"]
    calls: Annotated[list[str], "the calls that verify the refuted and the proved value"]


class Layers(TypedDict):
    attention: Annotated[int, "steps of attention that are stored"]
    ffn: Annotated[int, "ffn steps that are stored"]
    attention_runs: Annotated[int, "steps of attention in a forward pass, with those that are repeated"]
    ffn_runs: Annotated[int, "ffn steps in a forward pass, with those that are repeated"]


class Heads(TypedDict):
    heads: Annotated[int, "heads"]
    kv_heads: Annotated[int, "heads of keys and values"]
    head_dim: Annotated[int, "coordinates of queries and keys"]
    value_dim: Annotated[int, "coordinates of values"]


class ModelPart(TypedDict):
    label: Annotated[str, "such as `length 3` or `8 digits`; empty where the suite has one part"]
    right: Annotated[int, "of the part's inputs, those that were answered right"]
    inputs: Annotated[int, "the part's inputs"]


class ModelSuite(TypedDict):
    suite: Annotated[str, "the name"]
    seed: Annotated[int | None, "the seed; null for a suite that takes none"]
    right: Annotated[int, "of its inputs, those that were answered right"]
    inputs: Annotated[int, "its inputs"]
    pairs: Annotated[int, "the same: the old name of `inputs`"]
    parts: Annotated[list[ModelPart], "the same of each part, such as each length"]
    failures: Annotated[list[Failure], "the first inputs of each part that were answered wrong"]


class Described(Asked):
    """The fields of a model in a report that come before its counts."""

    summary: Annotated[str, "what the spec says it does; may be empty"]
    source: Annotated[str, "who made it; may be empty"]
    dtype: Annotated[str, "the dtype of the model"]
    layers: Annotated[Layers, "steps of attention and ffn"]
    stream: Annotated[list[int], "the size of the residual stream, and each one that it changes to"]
    heads: Annotated[list[Heads], "each step of attention"]
    hidden: Annotated[list[int], "the hidden units of each ffn step"]
    lines: Annotated[int, "lines of YAML, without comments and blank lines"]
    lines_extended: Annotated[int, "those of the specs that it extends"]


class Model(Described, Counted):
    agreeing: Annotated[list[str], "the figures that are the author's count"]
    suites: Annotated[list[ModelSuite], "the suites in the order in which they ran"]
    verdict: Annotated[str | None, "with `--verify`: `proved`, `refuted` or `open` on all inputs; null otherwise"]
    reason: Annotated[str | None, "why the verdict is that one; null without one"]
    by_size: Annotated[list[SizeVerdict], "the verdict for each choice of sizes that are ranges; else empty"]
    claims: Annotated[list[Claim], "the [claims](#claim) of the spec"]
    disclosures: Annotated[
        list[Diagnostic],
        "what [lint](#lint) finds by the rules `disclosure`: [diagnostics](#diagnostic)",
    ]


class ReportFinding(TypedDict):
    about: Annotated[str, "what the sentences are about"]
    sentences: Annotated[list[str], "the sentences, in Markdown"]


class Report(TypedDict):
    file: Annotated[str | None, "the file that was written or checked; null without `-o` and `--check`"]
    stale: Annotated[bool | None, "whether the file is not what `-o` would write; null without `--check`"]
    models: Annotated[list[Model], "the models, by task and by name"]
    findings: Annotated[list[ReportFinding], "what the figures reveal"]


class TracedValue(TypedDict):
    name: Annotated[str, "the name of the submodule that put it out"]
    dimensions: Annotated[list[str], "the names of its dimensions"]
    values: Annotated[list[list[float]], "its numbers, by `positions` and by `dimensions`"]


class TracedHead(TypedDict):
    head: Annotated[str, "the name of the head"]
    scores: Annotated[
        list[list[float]], "what its softmax reads, by `positions` and by key, from key 0 on; `-inf` is a hidden key"
    ]
    pattern: Annotated[list[list[float]], "the weights of the keys, likewise"]


class TracedStep(TypedDict):
    name: Annotated[str, "the name of the step"]
    run: Annotated[int, "which run of the step it is, from 1: it runs again where it is repeated"]
    summary: Annotated[str, "what the step computes, for people"]
    stream: Annotated[list[str], "the dimensions of the stream after the step; of a head, the tokens with a logit"]
    values: Annotated[list[list[float]], "the stream after the step, or the logits, by `positions` and by `stream`"]
    changed: Annotated[
        list[list[str]],
        "for each of `positions`, the dimensions that were other numbers before the step; those of a head are new",
    ]
    heads: Annotated[list[TracedHead], "the attention of each head; none where the step has no heads"]
    inside: Annotated[list[TracedValue], "what the step computes on the way"]


class TracedLogits(TypedDict):
    position: Annotated[int, "the position"]
    says: Annotated[str | None, "the token that the model says there; null where a logit is NaN"]
    lead: Annotated[float, "how far its logit is ahead of the second one; `inf` where no other token has a logit"]
    right: Annotated[str | None, "the right token; null where no answer is read"]
    logits: Annotated[dict[str, Annotated[float, "its logit"]], "the tokens that have a logit"]


class TracedPass(OfSpec):
    dtype: Annotated[str, "the dtype of the model"]
    decode: Annotated[str, "`argmax` or `argmin`"]
    input: Annotated[str | None, "the input of the task; null with `--tokens`"]
    answer: Annotated[str | None, "what the model answers; null with `--tokens`"]
    expected: Annotated[str | None, "the right answer; null with `--tokens`"]
    right: Annotated[bool | None, "whether every token is right; null with `--tokens`"]
    tokens: Annotated[list[str], "the sequence that the model reads, with its own answer but for the last token"]
    start: Annotated[int, "where it begins in prompt and answer: above 0 where a window slides"]
    read_at: Annotated[list[int], "the positions in `tokens` at which the answer is read; else the last one"]
    positions: Annotated[list[int], "the positions that are shown: all of them, or those of `--at`"]
    steps: Annotated[list[TracedStep], "the steps as they ran, or those of `--step`"]
    logits: Annotated[list[TracedLogits], "what is said at each of `positions`"]


class ComputedTerm(TypedDict):
    coefficient: Annotated[float, "what the value is multiplied by, rounded to the dtype where it is stored"]
    value: Annotated[float, "the value that is read"]
    scale: Annotated[float, "what scores are multiplied by; 1 for other values"]
    product: Annotated[float, "all three multiplied"]
    read: Annotated[str, "the name of the value, or what else it is: `bias`, `mean`, `mask`, a token or a position"]
    position: Annotated[int | None, "its position; null where it is no value of the trace"]
    run: Annotated[int | None, "which run of its step it is from; null where the step runs once, or there is none"]
    times: Annotated[str | None, "the value that the coefficient is, as `--why` takes it; null where it is no value"]


class ComputedValue(TypedDict):
    name: Annotated[str, "its name: that of the submodule, and of the dimension, or of the head and the key"]
    position: Annotated[int, "its position in `tokens`; that of the query"]
    run: Annotated[int | None, "which run of its step it is from, from 1; null where the step runs once"]
    value: Annotated[float, "the number"]
    function: Annotated[
        str,
        "what makes it of its terms: `sum`, `product`, `exponential` of the sum, `largest` where a key has weight only"
        " if its score is the largest, or an activation of the one term",
    ]
    terms: Annotated[list[ComputedTerm], "what it was computed from, without terms of a sum that are zero"]
    zeros: Annotated[int, "how many terms of the sum are zero"]
    equations: Annotated[list[Equation], "the lines of the spec that give the coefficients"]


class Computations(OfSpec):
    tokens: Annotated[list[str], "the sequence that the model reads"]
    asked: Annotated[str, "what was asked for"]
    values: Annotated[
        list[ComputedValue], "this value, those that it was computed from, and so on, so many levels as `--depth` says"
    ]


class PartingPlace(TypedDict):
    position: Annotated[int, "the position"]
    tokens: Annotated[list[str], "the token there in each pass"]
    name: Annotated[
        str | None,
        "the first value that differs, in the order of computation: submodule and dimension; null where none does",
    ]
    numbers: Annotated[list[float], "the number in each pass; none where none differs"]
    others: Annotated[int, "how many further dimensions of that submodule's value differ"]
    says: Annotated[list[str | None], "what the model says there in each pass; null where a logit is NaN"]


class PartingPasses(OfSpec):
    against: Annotated[str | None, "the path of the second spec; null where both passes are of the same one"]
    inputs: Annotated[list[str], "the input, or the tokens, of each pass"]
    answers: Annotated[list[str | None], "what the model answers in each; null without a task"]
    tokens: Annotated[list[list[str]], "the sequence that the model reads in each"]
    positions: Annotated[list[PartingPlace], "each position that both have, or those of `--at`"]


class SweptSuite(TypedDict):
    suite: Annotated[str, "its name"]
    seed: Annotated[int | None, "the seed of what was drawn; null where nothing was"]
    inputs: Annotated[int, "inputs that were run"]
    right: Annotated[int, "inputs that are answered right"]


class SweptVerdict(TypedDict):
    verdict: Annotated[str, "`proved`, `refuted` or `open`"]
    inputs: Annotated[int, "all inputs of the task"]
    failing: Annotated[Failing, "how many of them are answered wrong"]
    margin: Annotated[float | None, "the proved lead of the right token, in units of the logits; null where none is"]
    lead: Annotated[float | None, "the smallest lead that was seen; null where some inputs may be wrong"]
    why_open: Annotated[list[str], "why inputs are undecided, in a word or two each; empty where none is"]


class PointError(TypedDict):
    code: Annotated[str, "the code of a [diagnostic](#diagnostic), `fault`, `memory`, `process` or `system`"]
    message: Annotated[str, "what was found, for people"]


class SweepRow(TypedDict):
    spec: Annotated[str, "the spec as it was named"]
    settings: Annotated[dict[str, Annotated[str, "its value as a text"]], "for each name that is set"]
    counts: Annotated[Figures | None, "the figure by each rule; null where the variant is no valid spec"]
    suites: Annotated[list[SweptSuite], "what became of each suite"]
    verification: Annotated[SweptVerdict | None, "what was found on all inputs; null where there is none"]
    error: Annotated[PointError | None, "why there is no more; null where there is all"]
    question: Annotated[str | None, "the SHA-256 of what the task asks; null without a task"]
    key: Annotated[str, "the SHA-256 of all that the row depends on; the journal has it by this key"]
    seconds: Annotated[float, "how long the point took, when it was computed"]


class PictureAxis(TypedDict):
    name: Annotated[str, "what runs along it"]
    labels: Annotated[list[str], "its places: from left to right, or from top to bottom"]
    spacing: Annotated[str, "`names`, or of numbers `linear` or, where they grow by a factor, `log`"]


class ColourScale(TypedDict):
    low: Annotated[float, "the number with the first colour"]
    high: Annotated[float, "the number with the last colour"]
    spacing: Annotated[str, "`linear` or `log`; around zero `signed` or `signed log`"]


class PicturePanel(TypedDict):
    title: Annotated[str, "what it is about; empty where there is one panel"]
    x: Annotated[PictureAxis, "the places from left to right"]
    y: Annotated[PictureAxis | None, "the rows; of lines the name that has a line for each value; null for one line"]
    colours: Annotated[ColourScale | None, "the colours of numbers; null where there are none"]
    states: Annotated[
        list[list[str]],
        "what is known of each cell, by rows: a `value`; `whole`, all inputs are right; `proved`, `refuted`, `open`; "
        "`error`; `missing`, there is no such row; `unknown`, the row does not say; `zero`; `hidden`, a mask hides the "
        "key; `infinite`; `nan`",
    ]
    values: Annotated[list[list[float | None]], "the number of each cell, by rows; null where it has none"]
    texts: Annotated[list[list[str]], "what stands in each cell where it fits, by rows"]


class Picture(TypedDict):
    file: Annotated[str | None, "the file that was written; null without `-o`"]
    kind: Annotated[str, "`heatmap` or `lines`"]
    title: Annotated[str, "what all cells have in common"]
    value: Annotated[str, "what the numbers are"]
    panels: Annotated[list[PicturePanel], "the panels, each with its cells"]


class Sweep(TypedDict):
    points: Annotated[int, "how many rows there are"]
    known: Annotated[int, "those that the journal had"]
    errors: Annotated[int, "those with an error"]
    rows: Annotated[list[SweepRow], "the points, the last name that is set changing fastest"]


# Objects of these shapes


def filled(shape: type[S], source: object, /, **given: object) -> S:
    """An object of a shape: the fields that are `given`, and for all others the attributes of `source` by their names.

    An attribute that is an object too, or a tuple of objects, becomes one of the shape that the field declares.
    """
    made = {}
    for name, (inner, required) in _fields(cast(Any, shape)).items():
        if name in given:
            made[name] = given[name]
        elif required:
            made[name] = _value(getattr(source, name), inner)
    assert made.keys() >= given.keys()
    return cast(S, made)


@cache
def _fields(shape: Hashable) -> dict[str, tuple[Any, bool]]:
    """The fields, each with the shape of the objects in it (None without any) and whether it is always there."""
    hints = get_type_hints(shape, include_extras=True)
    return {name: (_object_in(hint), get_origin(hint) is not NotRequired) for name, hint in hints.items()}


def _object_in(hint: Any) -> Any:
    return hint if is_typeddict(hint) else next(filter(None, map(_object_in, get_args(hint))), None)


def _value(value: object, inner: Any) -> object:
    if isinstance(value, tuple):
        return [_value(item, inner) for item in value]
    return value if value is None or inner is None else filled(inner, value)
