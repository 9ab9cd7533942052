"""A spec as the compiler understands it: names and numbers, steps, tensors; or one tensor with its names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from compiler.expressions.axes import Axis
from compiler.expressions.floats import FloatFormat
from compiler.expressions.values import Matrix, Number, Vector
from compiler.language.definitions import Definition
from compiler.network.ir import Equation, Step, Tensor, stream_after
from compiler.network.storage import stored, tensors
from compiler.pipeline import Spec
from compiler.readers.dumps.tasks import answer_read_at, task_value
from compiler.readers.why.entries import find_stored
from compiler.source.document import Mapping
from compiler.tasks.layout import Slot
from compiler.tasks.package import package_task, short_key
from compiler.tasks.rules import reads_from, rules, section_of
from compiler.terminal import shapes
from compiler.terminal.console import console, file_and_line, first, line_of, number_text, table, text
from compiler.terminal.steps import describe_step, print_step, step_equations

TOKENS_SHOWN = 8  # of an alphabet


def print_overview(spec: Spec) -> None:
    """Everything but the numbers inside the tensors."""
    out = console()
    network, resolved = spec.network, spec.resolved
    out.print(text(spec.title, "bold"))
    for line in (resolved.summary, resolved.source):
        if line:
            out.print(text(line, "dim"))
    facts = table("", "")
    facts.add_row("dtype", network.dtype.name)
    facts.add_row("vocabulary", text(f"{network.vocabulary} ({network.vocabulary.size} tokens)"))
    facts.add_row("classes", text(f"{network.classes.size}, decoded by {network.decode}"))
    for title, shown in _asked(spec):
        facts.add_row(title, text(shown))
    facts.add_row("context", f"{network.context} tokens")
    out.print(facts)
    _print_rules(spec)
    if resolved.definitions:
        ranges = {name: _range(sizes) for name, sizes in _sizes(spec).items() if len(sizes) > 1}
        rows = table("name", "", "written", "value")
        for definition in first(list(resolved.definitions.values()), rows):
            value = text(ranges.get(definition.name) or _value(definition, network.dtype))
            rows.add_row(definition.name, definition.kind, text(definition.text), value)
        out.print()
        out.print(rows)
    stream: Axis | None = None
    for step in network.steps:
        out.print()
        print_step(step, stream, network.dtype)
        stream = stream_after(step)
    out.print()
    print_tensors(spec)


def print_tensors(spec: Spec) -> None:
    """The state dict: names, shapes, entries that are not zero, ties."""
    rows = table("tensor", "shape", "nonzero", "", right=["nonzero"])
    for group in stored(spec.network):
        for name, tensor in group.named:
            tie = f"tied: stored as {tensor.read_as}" if tensor.name != name else ""
            nonzero = sum(1 for entry in tensor.entries if entry.value)
            rows.add_row(text(name), " × ".join(map(str, tensor.shape)), str(nonzero), text(tie, "dim"))
    console().print(rows)


def print_signature(spec: Spec) -> None:
    """One line: how much is stored, and what the module maps to what."""
    network = spec.network
    stored_scalars = sum(tensor.size for tensor in tensors(network).values())
    shape = f"tokens [batch, time ≤ {network.context}] → logits [batch, time, {network.classes.size}]"
    console().print(text(f"{spec.title}: {stored_scalars} stored scalars in {network.dtype.name}; {shape}"))


def print_tensor(spec: Spec, name: str) -> None:
    """Each written entry of one tensor: index, named place, value, equation and its line."""
    tensor, dtype = find_tensor(spec, name), spec.network.dtype
    out = console()
    out.print(text(f"{tensor.name} {list(tensor.shape)}; what is not listed is zero", "bold"))
    rows = table("index", "place", "value", "line", "equation", right=["value", "line"])
    for entry in first(tensor.entries, rows):
        line = str(entry.equation.span.line)
        label, value = text(tensor.label(entry.index)), number_text(entry.value, dtype)
        rows.add_row(text(str(list(entry.index))), label, value, line, text(str(entry.equation)))
    out.print(rows)


def of_spec(spec: Spec) -> dict[str, object]:
    """The fields of `shapes.OfSpec`."""
    return {"spec": str(spec.path), "name": spec.name, "settings": list(spec.settings)}


def asked_json(spec: Spec) -> dict[str, object]:
    """The fields of `shapes.Asked`."""
    asked = spec.resolved.question
    return {
        **of_spec(spec),
        "task": asked.name if asked.digest is not None else None,
        "sizes": {name: largest for name, (_, largest) in asked.sizes.items()},
        "question": asked.digest,
    }


def equation_json(equation: Equation) -> dict[str, object]:
    """The fields of `shapes.Equation`."""
    return {**file_and_line(equation.span), "equation": str(equation)}


def overview_json(spec: Spec) -> shapes.Spec:
    """Names and numbers, steps with their equations, stored tensors with every written entry."""
    network, resolved = spec.network, spec.resolved
    return shapes.filled(
        shapes.Spec,
        network,
        **of_spec(spec),
        dtype=network.dtype.name,
        vocabulary=list(network.vocabulary.labels),
        classes=network.classes.size,
        prompt=_slots(spec, spec.layout.prompt) if resolved.asked else None,
        answer=_slots(spec, spec.layout.answer) if resolved.asked else None,
        answer_read_at=answer_read_at(spec),
        task=task_value(spec),
        definitions=definitions_json(spec),
        steps=[_step_json(step, network.dtype) for step in network.steps],
        tensors=[tensor_json(tensor) for tensor in tensors(network).values()],
    )


def _step_json(step: Step, dtype: FloatFormat) -> shapes.Step:
    return shapes.filled(
        shapes.Step,
        step,
        summary=describe_step(step, dtype),
        stream_after=list(stream_after(step).labels),
        equations=[
            shapes.filled(shapes.StepEquation, line, **file_and_line(line.span)) for line in step_equations(step)
        ],
    )


def definitions_json(spec: Spec) -> list[shapes.Definition]:
    """Constants, task sizes, parameters and derived values, as they are written and what they are."""
    return [
        shapes.filled(
            shapes.Definition,
            definition,
            written=definition.text,
            values=[item.value for item in definition.numbers],
            **file_and_line(definition.span),
        )
        for definition in spec.resolved.definitions.values()
    ]


def tensor_json(tensor: Tensor) -> shapes.Tensor:
    entries = [
        shapes.filled(shapes.Entry, entry, place=tensor.label(entry.index), **equation_json(entry.equation))
        for entry in tensor.entries
    ]
    return shapes.filled(shapes.Tensor, tensor, entries=entries)


def find_tensor(spec: Spec, name: str) -> Tensor:
    """A stored tensor by its name in the state dict; a tied name gives the tensor it is tied to."""
    return find_stored(spec.network, spec.title, name)[1].as_stored


def _value(definition: Definition, dtype: FloatFormat) -> str:
    match definition.value:
        case Vector(items=items):
            return _list(items, dtype)
        case Matrix(rows=rows):
            return f"[{', '.join(_list(row, dtype) for row in rows)}]"
        case _:
            return "".join(_number(item, dtype) for item in definition.numbers)


def _number(item: Number, dtype: FloatFormat) -> str:
    return number_text(item.value, dtype if item.rounded else None)


def _list(items: Iterable[Number], dtype: FloatFormat) -> str:
    return f"[{', '.join(_number(item, dtype) for item in items)}]"


def _asked(spec: Spec) -> Iterator[tuple[str, str]]:
    """What the model is asked and how; of sizes that are ranges, the layout of the largest."""
    value = task_value(spec)
    if value is None:
        yield "task", "none"
        return
    layout = spec.layout
    sizes = ", ".join(f"{name} {_range(numbers)}" for name, numbers in value["sizes"].items())
    yield "task", f"{value['kind']}: {sizes}" if sizes else value["kind"]
    if value["cases"]:
        yield "cases", f"{value['cases']:,}"
    else:
        for name, tokens in value["alphabets"].items():
            yield f"alphabet {name}", _tokens(tokens)
        for part in ("given", "answers"):
            yield part, ", ".join(map(_word, value[part]))
    yield "prompt", _slots(spec, layout.prompt)
    read = [layout.prompt[position] for position in layout.read_at]
    yield "answer", _slots(spec, layout.answer) + (f", read at {_slots(spec, tuple(read))}" if read else "")
    if layout.window is not None:
        yield "window", f"the last {layout.window} tokens"
    yield "suites", " ".join(value["suites"])


def _sizes(spec: Spec) -> dict[str, list[int]]:
    """The sizes of the task, each with all of its values."""
    value = task_value(spec)
    return {} if value is None else value["sizes"]


def _range(numbers: list[int]) -> str:
    """Sizes that follow one another by their ends."""
    if numbers[-1] - numbers[0] == len(numbers) - 1 > 0:
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))


def _tokens(tokens: list[str]) -> str:
    """The tokens of an alphabet; of many only the first and the last."""
    return " ".join(tokens) if len(tokens) <= TOKENS_SHOWN else f"{tokens[0]} {tokens[1]} … {tokens[-1]}"


def _word(word: shapes.Word) -> str:
    """`a: digit*10`, or `query: bit` for a single symbol."""
    lengths = _range(word["lengths"])
    times = {"1": ""}.get(lengths, f"*{lengths}" if len(word["lengths"]) == 1 else f"*({lengths})")
    return f"{word['name']}: {word['alphabet']}{times}"


def _print_rules(spec: Spec) -> None:
    """Which inputs there are, and what is right for them."""
    section = section_of(spec.resolved.document)
    every = [] if section is None else list(rules(section))
    if section is None or not every:
        return
    written, first_end = spec.resolved.document.get("task"), reads_from(section)
    short = short_key(written) if isinstance(written, Mapping) else None
    rows = table("what is right", "written", "line", right=["line"])
    for rule in first(every, rows):
        if rule.kind == "state" and first_end is not None:
            rows.add_row("columns", f"from the {first_end} symbol on", "")
            first_end = None
        span = rule.formula.span
        in_package = short is not None and span.source is package_task(short.text).span.source
        line = "" if in_package else line_of(str(spec.path), span.source.name, span.line)
        rows.add_row(text(str(rule)), text(rule.text), line)
    console().print()
    console().print(rows)


def _slots(spec: Spec, slots: tuple[Slot, ...]) -> str:
    """The layout with runs together: `<bos> a[10] + b[10] =`."""
    shown: list[tuple[str, int]] = []
    labels = spec.network.vocabulary.labels
    for slot in slots:
        words = ", ".join(place.word for place in slot.places)
        name = spec.layout.spell([slot.token], labels)[0] if slot.token is not None else words
        name = f"({name})" if len(slot.places) > 1 else name
        if shown and shown[-1][0] == name:
            shown[-1] = (name, shown[-1][1] + 1)
        else:
            shown.append((name, 1))
    return " ".join(name if times == 1 else f"{name}*{times}" for name, times in shown)
