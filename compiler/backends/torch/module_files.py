"""Files of other programs that hold a module, or the tensors of one. They are untrusted; code runs by consent only."""

from __future__ import annotations

import io
import logging
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from compiler.backends.torch.linear import torch_dtype
from compiler.backends.torch.model import build_model
from compiler.backends.torch.saving import stored_tensors
from compiler.backends.torch.state_dicts import NO_ARCHIVE, load_state_dict
from compiler.expressions.floats import FORMATS
from compiler.pipeline import Spec
from compiler.source.diagnostics import Diagnostic, Findings, fail, nearest, raise_errors
from compiler.source.document import open_file, whole_file
from compiler.source.faults import ToolFault, no_rule
from compiler.source.saved import MODEL_SUFFIX, shown

CodeKind = Literal["TorchScript", "torch.export"]
ModuleKind = CodeKind | Literal["safetensors", "memory"]

MAX_MODULE_BYTES = 1 << 31
MAX_ENTRIES = 1 << 16  # files in one archive
SAVE_HINT = (
    f"save its tensors as {MODEL_SUFFIX} with `safetensors.torch.save_model`, and say with --like which network they"
    " are of; or save what `torch.export.export` or `torch.jit.script` makes of it"
)
FLOAT_TYPES = {torch_dtype(dtype): dtype for dtype in FORMATS.values()}
_ENTRY = b"PK\x01\x02"  # what each entry in the directory of an archive begins with


def module_bytes(path: Path) -> bytes:
    """The whole file. Raises `SpecError` where it cannot be read, or is too large."""
    with open_file(path) as file:
        data = file.read(MAX_MODULE_BYTES + 1)
    if len(data) > MAX_MODULE_BYTES:
        raise fail("too-large", f"more than {MAX_MODULE_BYTES:,} bytes", whole_file(path))
    return data


def module_kind(path: Path, data: bytes) -> CodeKind:
    """What the code in a file is read with, by the names in its archive; nothing is unpickled. Raises `SpecError`."""
    if data.count(_ENTRY) > MAX_ENTRIES:
        raise fail("too-large", f"an archive of more than {MAX_ENTRIES:,} files", whole_file(path))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
    except NO_ARCHIVE:
        is_pickle = data[:1] == b"\x80"
        what = "a pickle, which is not read: it can run any code" if is_pickle else "no model that can be read"
        raise fail("bad-model-file", what, whole_file(path), SAVE_HINT) from None
    if "archive_format" in names or "models/model.json" in names:
        return "torch.export"
    if "constants.pkl" in names:
        return "TorchScript"
    if "data.pkl" in names:
        message = "what `torch.save` wrote is a pickle, which is not read: it can run any code"
        raise fail("bad-model-file", message, whole_file(path), SAVE_HINT)
    raise fail("bad-model-file", "an archive without a model", whole_file(path), SAVE_HINT)


def module_with_code(path: Path, kind: CodeKind, data: bytes) -> nn.Module:
    """The module in a file that is trusted, with its code. Raises `SpecError` where it is damaged."""
    log = logging.getLogger("torch.export")  # which would say what is said below
    was_disabled, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that TorchScript is of yesterday
            module: nn.Module
            match kind:
                case "TorchScript":
                    module = torch.jit.load(io.BytesIO(data), map_location="cpu").eval()  # type: ignore[no-untyped-call]
                case "torch.export":
                    module = torch.export.load(io.BytesIO(data)).module()
                case _:
                    raise no_rule("kind of module", kind)
            return module
    except (MemoryError, ToolFault):
        raise
    except Exception as error:  # whatever a file that is damaged leads to
        raise fail("bad-model-file", f"{kind} cannot read it: {last_line(error)}", whole_file(path)) from None
    finally:
        log.disabled = was_disabled


def module_with_tensors(path: Path, like: Spec) -> nn.Module:
    """The module of a spec with the tensors of a file. Raises `SpecError` where names, shapes or types are others."""
    model = build_model(like.network).eval()
    expected, ties = stored_tensors(model)
    names = {**{name: name for name in expected}, **ties}
    tensors = load_state_dict(path).tensors
    findings = Findings(_of_names(path, like, names, tensors))
    findings.report(*_of_tensors(path, like, expected, names, tensors))
    raise_errors(findings)
    stored = {names[name]: tensor for name, tensor in tensors.items()}
    model.load_state_dict({name: stored[owner] for name, owner in names.items()})
    return model


def _of_names(path: Path, like: Spec, names: Mapping[str, str], tensors: Mapping[str, Tensor]) -> Iterator[Diagnostic]:
    """Tensors that are missing, or too many. `names` has the tensor that each name means; a tied one has several."""
    there = {names[name] for name in tensors if name in names}
    unknown = [name for name in tensors if name not in names]
    hint: str | None = (
        f"`build {like.path}` lists the names that it has to have; `diff {like.path} {path}` compares them"
    )
    for name in (name for name in dict.fromkeys(names.values()) if name not in there):
        meant = nearest(name, unknown)
        message = f"it lacks the tensor '{name}' of {_network(like)}" + (f"; is it {shown(meant)}?" if meant else "")
        yield Diagnostic("missing-tensor", message, whole_file(path), hint)
        hint = None
    for name in unknown:
        yield Diagnostic("unknown-tensor", f"{_network(like)} has no tensor {shown(name)}", whole_file(path))


def _of_tensors(
    path: Path, like: Spec, expected: Mapping[str, Tensor], names: Mapping[str, str], tensors: Mapping[str, Tensor]
) -> Iterator[Diagnostic]:
    """Tensors of other types or shapes, and such as are one in the network, and differ."""
    known = {name: tensor for name, tensor in tensors.items() if name in names}
    wanted_type, whole = torch_dtype(like.network.dtype), whole_file(path)
    others = {tensor.dtype: name for name, tensor in reversed(known.items()) if tensor.dtype != wanted_type}
    for dtype, name in others.items():
        message = f"tensor '{name}' is of {type_name(dtype)}, and {_network(like)} of {type_name(wanted_type)}"
        hint = f"--set dtype={type_name(dtype)} makes a network of that type" if dtype in FLOAT_TYPES else None
        yield Diagnostic("wrong-tensor", message, whole, hint)
    first: dict[str, str] = {}
    for name, tensor in known.items():
        shape, wanted = list(tensor.shape), list(expected[names[name]].shape)
        stored = first.setdefault(names[name], name)
        if shape != wanted:
            yield Diagnostic("wrong-tensor", f"tensor '{name}' is {shape}, but {wanted} in {_network(like)}", whole)
        elif not torch.equal(tensor, tensors[stored]):
            yield Diagnostic("wrong-tensor", f"'{stored}' and '{name}' are one tensor in {_network(like)}", whole)


def _network(like: Spec) -> str:
    return f"the network of {like.title}"


def type_name(dtype: torch.dtype) -> str:
    """A type of torch as specs call it."""
    return str(dtype).removeprefix("torch.")


def last_line(error: Exception) -> str:
    """What an exception of torch says at last: further up it quotes code."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
