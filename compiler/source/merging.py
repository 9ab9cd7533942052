"""One mapping over another one, and the files that `extends` names."""

from __future__ import annotations

from pathlib import Path

from compiler.source.diagnostics import Diagnostic, Findings, did_you_mean, fail
from compiler.source.document import Mapping, Node, Scalar
from compiler.source.limits import MAX_EXTENDS


def merge(base: Mapping, variant: Mapping, findings: Findings) -> Mapping:
    """Maps merge key by key, `null` removes, anything else replaces; new keys go last."""
    items: dict[str, tuple[Scalar, Node]] = {key.text: (key, value) for key, value in base.items}
    for key, value in variant.items:
        old = items.get(key.text)
        if isinstance(value, Scalar) and value.value is None:
            if old is None:
                message = f"there is no '{key.text}' to remove{did_you_mean(key.text, items)}"
                findings.report(Diagnostic("unknown-key", message, key.span))
            items.pop(key.text, None)
        elif old is not None and isinstance(old[1], Mapping) and isinstance(value, Mapping):
            items[key.text] = (key, merge(old[1], value, findings))
        else:
            items[key.text] = (key, value)
    return Mapping(tuple(items.values()), variant.span)


def extends_scalar(document: Mapping, example: str) -> Scalar | None:
    """The file that `extends` names, as written; None where nothing is extended. Raises `SpecError`."""
    value = document.get("extends")
    if value is None or (isinstance(value, Scalar) and isinstance(value.value, str)):
        return value
    raise fail("wrong-type", f"`extends` names one file, such as `extends: {example}`", value.span)


def named_file(named: Scalar, path: Path, root: Path, known: list[Path]) -> Path:
    """The file that is named in the file at `path`: it lies in the folder `root` or below, and is none of the `known`
    ones, which are the chain that leads to it. Raises `SpecError`."""
    target = path.parent / named.text
    try:
        resolved = target.resolve()
        inside = resolved.is_relative_to(root.resolve()) and not Path(named.text).is_absolute()
        repeated = any(resolved == other.resolve() for other in known)
    except (OSError, ValueError, RuntimeError):
        raise fail("cannot-read", f"'{named.text}' is no usable path", named.span) from None
    if not inside:
        hint = "name a file in the spec's own folder or below it"
        raise fail("bad-extends", f"'{named.text}' lies outside the folder of the spec", named.span, hint)
    if repeated:
        raise fail("cycle", f"'{named.text}' leads back to itself, directly or through others", named.span)
    if len(known) >= MAX_EXTENDS:
        raise fail("bad-extends", f"more than {MAX_EXTENDS} files in a chain of `extends`", named.span)
    return target
