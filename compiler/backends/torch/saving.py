"""Built models to safetensors files, with the spec inside, and back."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from compiler.backends.torch.linear import TransposedLinear
from compiler.backends.torch.model import build_model
from compiler.backends.torch.settings import as_assumed
from compiler.network.ir import TRANSPOSE
from compiler.pipeline import Leniency, Spec, load_source
from compiler.source.diagnostics import fail
from compiler.source.document import Scalar, open_file, whole_file
from compiler.source.files import cannot_write, write_whole
from compiler.source.limits import MAX_FILE_BYTES, MAX_HEADER_BYTES
from compiler.source.saved import FILE_FORMAT, SavedModel, check_target, damaged, is_saved, read_saved, shown, spec_hash
from compiler.source.text import Source
from compiler.source.version import installed_version
from compiler.source.writing import write_document

BELIEVED = Leniency(allow_overflow=True)  # what was built once; the tensors are compared bit for bit anyway
_AGAIN = (
    "it was changed, or built by another version or on another machine; build it again with `build -o` from its spec,"
    " which `show --stage document` prints"
)
_BITS = {8: torch.int64, 4: torch.int32, 2: torch.int16}


@as_assumed()
def save_model(spec: Spec, model: nn.Module, path: str | Path) -> None:
    """Write a built model, with its spec, to a `.safetensors` file, which is written whole or not at all.

    Every parameter is stored once in its dtype, under the name that it is first registered with. A file that exists
    is replaced. The same spec gives the same bytes.
    Raises `SpecError` where the model is not what the spec says, the name is no `.safetensors`, or the file cannot
    be written.
    """
    path = Path(path)
    check_target(path)
    text = spec_text(spec)
    if len(text.encode()) > MAX_FILE_BYTES:
        raise fail("too-large", f"the spec written out is larger than {MAX_FILE_BYTES} bytes")
    inside = load_source(Source(str(path), text, path), leniency=BELIEVED)
    stored, ties = stored_tensors(model)
    expected, expected_ties = stored_tensors(build_model(inside.network))
    different = next((name for name in {**expected, **stored} if not _same(stored.get(name), expected.get(name))), None)
    if different is not None or ties != expected_ties:
        what = f"'{different}' differs" if different is not None else "other tensors are tied"
        raise fail("weights-differ", f"the model is not what {spec.title} says: {what}")
    about = {"file_format": str(FILE_FORMAT), "spec": text, "spec_sha256": spec_hash(text)}
    metadata = {**_facts(inside, ties), **about}
    data = _with_sorted_header(save(stored, metadata))
    if int.from_bytes(data[:8], "little") > MAX_HEADER_BYTES:
        raise fail("too-large", f"a header of more than {MAX_HEADER_BYTES} bytes")
    try:
        write_whole(path, data)
    except (OSError, RuntimeError, ValueError) as error:
        raise cannot_write(path, error) from None


@as_assumed()
def load_model(path: str | Path) -> nn.Module:
    """The model in a file that `save_model` wrote, on the CPU.

    It is built from the spec inside. Raises `SpecError` where the file cannot be read, is damaged, or does not store
    exactly the tensors that this spec says, bit for bit.
    """
    saved = read_saved(Path(path))
    spec = load_source(saved.source, leniency=BELIEVED)
    model = build_model(spec.network)
    _check_stored(saved, spec, model)
    return model


def check_weights(spec: Spec) -> None:
    """Where a spec was read from a saved model, raise `SpecError` unless the file stores what the spec inside says.

    A variant of the spec inside is believed no more than that spec. Does nothing for YAML files.
    """
    if is_saved(spec.path):
        saved = read_saved(spec.path)
        if saved.source.text != spec.sources[0].text:
            raise fail("changed", "the spec inside was changed since it was read", whole_file(spec.path), "try again")
        inside = load_source(saved.source, leniency=BELIEVED) if spec.settings else spec
        with as_assumed():
            _check_stored(saved, inside, build_model(inside.network))


def spec_text(spec: Spec) -> str:
    """A spec as one text that needs no other file.

    A variant made with `--set` loses `expect`, which is about the spec as its author wrote it.
    """
    document = spec.resolved.document
    if spec.settings:
        document = document.without("expect")
    return write_document(document)


def stored_tensors(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a state dict, each once, on the CPU; and for every further name of one, its first name.

    A map that reads the transpose of a tensor has its name with `.T` behind it.
    """
    first: dict[int, str] = {}
    stored: dict[str, Tensor] = {}
    ties: dict[str, str] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():  # keep_vars: else tied names give different objects
        owner = first.setdefault(id(tensor), name)
        if owner == name:
            stored[name] = tensor.detach().cpu().contiguous()
        else:
            ties[name] = owner
    for name, module in model.named_modules():
        if isinstance(module, TransposedLinear):
            ties[f"{name}.weight"] = f"{first[id(module.owner.weight)]}{TRANSPOSE}"
    return stored, ties


def _facts(spec: Spec, ties: dict[str, str]) -> dict[str, str]:
    """The metadata beside the spec itself."""
    version = spec.resolved.document.get("weightspec")
    assert isinstance(version, Scalar)
    return {
        "format": "pt",
        "weightspec": version.text,
        "name": spec.name,
        "dtype": spec.network.dtype.name,
        "ties": json.dumps(ties),
        "compiler": installed_version() or "not installed",
    }


def _with_sorted_header(data: bytes) -> bytes:
    """The same file with a sorted header: safetensors writes the metadata in an order that differs from run to run."""
    start = 8 + int.from_bytes(data[:8], "little")
    text = json.dumps(json.loads(data[8:start]), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the tensors have to be aligned
    return len(text).to_bytes(8, "little") + text + data[start:]


def _check_stored(saved: SavedModel, spec: Spec, model: nn.Module) -> None:
    """Raise `SpecError` unless a file stores what its spec says. Its tensors are read when their sizes are right."""
    expected, ties = stored_tensors(model)
    for name, tensor in expected.items():
        if name not in saved.tensors:
            raise damaged(saved.path, f"it lacks the tensor '{name}' of the spec inside", _AGAIN)
        says, found = f"{list(tensor.shape)} {spec.network.dtype.name}", str(saved.tensors[name])
        if says != found:
            raise damaged(saved.path, f"tensor '{name}' is {found}, but {says} by the spec inside", _AGAIN)
    extra = next((name for name in saved.tensors if name not in expected), None)
    if extra is not None:
        raise damaged(saved.path, f"the spec inside has no tensor {shown(extra)}", _AGAIN)
    if ties != saved.ties:
        raise damaged(saved.path, "its ties are not those of the spec inside", _AGAIN)
    for key, value in _facts(spec, ties).items():
        if key not in ("ties", "compiler") and saved.metadata[key] != value:
            found = shown(saved.metadata[key])
            raise damaged(saved.path, f"its metadata says {found} for '{key}', the spec inside says '{value}'")
    stored = _read_tensors(saved)
    for name, tensor in expected.items():
        if not _same(stored.get(name), tensor):
            message = f"its weights differ from the spec inside, first in '{name}'"
            raise fail("weights-differ", message, whole_file(saved.path), _AGAIN)


def _read_tensors(saved: SavedModel) -> dict[str, Tensor]:
    with open_file(saved.path) as file:
        data = file.read(saved.size)
    try:
        return load(data)
    except SafetensorError as error:
        raise damaged(saved.path, str(error)) from None


def _same(first: Tensor | None, second: Tensor | None) -> bool:
    """Whether two tensors on the CPU agree in shape, dtype and every bit."""
    if first is None or second is None or first.shape != second.shape or first.dtype != second.dtype:
        return False
    bits = _BITS[first.element_size()]
    return torch.equal(first.view(bits), second.view(bits))
