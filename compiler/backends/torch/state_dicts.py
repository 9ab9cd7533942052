"""State dicts out of files of other programs: safetensors, and what torch saves. They are untrusted."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from compiler.source.diagnostics import fail
from compiler.source.document import open_file, whole_file
from compiler.source.limits import MAX_HEADER_BYTES, MAX_STORED
from compiler.source.saved import damaged, is_saved, read_header, shown
from compiler.source.state_dicts import StateDict

MAX_STATE_DICT_BYTES = 8 * MAX_STORED + MAX_HEADER_BYTES
FLOATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
OTHERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)
NO_ARCHIVE = (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError)  # what zipfile raises for other files
SAVING_HINT = "save the state dict by itself, as in `torch.save(model.state_dict(), FILE)`"


def load_state_dict(path: str | Path) -> StateDict:
    """The tensors of a file, on the CPU: `.safetensors`, or what `torch.save` wrote. No code in it is run.

    Raises `SpecError` where it cannot be read, is damaged or too large, or holds something other than tensors by name.
    """
    path = Path(path)
    tensors = _safetensors(path) if is_saved(path) else _saved_by_torch(path)
    _check(path, tensors)
    return StateDict(path, tensors)


def _safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors in the order of their bytes."""
    with open_file(path) as file:
        header, _, size = read_header(path, file)
        _check_size(path, size)
        file.seek(0)
        data = file.read(size)
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise damaged(path, str(error)) from None
    except KeyError as error:
        raise damaged(path, f"it holds numbers of the type {shown(str(error.args[0]))}") from None
    return {name: tensors[name] for name in sorted(tensors, key=lambda name: header[name]["data_offsets"])}


def _saved_by_torch(path: Path) -> dict[str, Tensor]:
    with open_file(path) as file:
        data = file.read(MAX_STATE_DICT_BYTES + 1)
    _check_size(path, len(data))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_size(path, sum(entry.file_size for entry in archive.infolist()))  # packed, it may be small
    except NO_ARCHIVE:
        hint = "`torch.save` has written zip archives since torch 1.6; save it again"
        raise fail(
            "bad-model-file", "not a file that torch saved, or only a part of one", whole_file(path), hint
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tensors = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # whatever a file that somebody made up leads to
        what = "what it holds needs code to be read, which is not run" if "GLOBAL" in str(error) else "it is damaged"
        message = f"not a state dict that can be read: {what}"
        raise fail("bad-model-file", message, whole_file(path), SAVING_HINT) from None
    if not isinstance(tensors, Mapping):
        message = f"it holds a {type(tensors).__name__}, not tensors by name"
        raise fail("bad-model-file", message, whole_file(path), SAVING_HINT)
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            message = f"it holds a {type(tensor).__name__} under {shown(str(name))}, not only tensors by name"
            raise fail("bad-model-file", message, whole_file(path), SAVING_HINT)
    return {name: tensor.detach() for name, tensor in tensors.items()}


def _check_size(path: Path, size: int) -> None:
    if size > MAX_STATE_DICT_BYTES:
        message = f"more than {MAX_STATE_DICT_BYTES:,} bytes, which is more than can be compared"
        raise fail("too-large", message, whole_file(path))


def _check(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Refuse what is not plain numbers in memory; a few bytes can claim to be any number of them."""
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_meta or tensor.dtype not in FLOATS + OTHERS:
            kind = "no numbers" if tensor.is_meta else f"numbers of the type {tensor.dtype}, {tensor.layout}"
            raise damaged(path, f"tensor {shown(name)} holds {kind}")
    if sum(tensor.numel() for tensor in tensors.values()) > MAX_STORED:
        raise fail(
            "too-large", f"more than {MAX_STORED:,} numbers, which is more than can be compared", whole_file(path)
        )
