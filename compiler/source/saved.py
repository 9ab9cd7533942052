"""The header of a saved model: a safetensors file with the spec inside. It is untrusted, and read without torch.

A safetensors file is the length of its header (8 bytes, little-endian), the header (JSON), and the bytes of the
tensors, one after the other.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from compiler.source.diagnostics import SpecError, fail
from compiler.source.document import open_file, whole_file
from compiler.source.limits import MAX_FILE_BYTES, MAX_HEADER_BYTES, MAX_STORED
from compiler.source.text import Source

MODEL_SUFFIX = ".safetensors"
FILE_FORMAT = 1  # of the metadata and of how tensors are named; files from before it was written have it too
METADATA = ("format", "weightspec", "name", "dtype", "ties", "spec", "spec_sha256", "compiler")  # each one a text
DTYPES = {"F64": "float64", "F32": "float32", "BF16": "bfloat16", "F16": "float16"}
_ITEM_BYTES = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2}
_MAX_RANK = 8


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of the file, not read yet; `dtype` is named as in a spec."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{list(self.shape)} {self.dtype}"


@dataclass(frozen=True)
class SavedModel:
    """What the header of a saved model of `size` bytes says; `source` is the spec inside, whose hash is right.

    `ties` maps the other names of a tensor to the one that it is stored under, with `.T` where it is the transpose.
    """

    path: Path
    size: int
    metadata: dict[str, str]
    ties: dict[str, str]
    tensors: dict[str, StoredTensor]
    source: Source


def is_saved(path: Path) -> bool:
    """Whether a path names a saved model, and not a YAML file."""
    return path.suffix == MODEL_SUFFIX


def check_target(path: Path) -> None:
    """Refuse a name that a model cannot be saved under, with a `SpecError`."""
    if not is_saved(path):
        message = f"cannot save a model as '{path}': the name has to end in {MODEL_SUFFIX}"
        raise fail("bad-value", message, hint=f"for example {path.stem or 'model'}{MODEL_SUFFIX}")


def spec_hash(text: str) -> str:
    """The SHA-256 of a spec's text in UTF-8, in hexadecimal."""
    return sha256(text.encode()).hexdigest()


def read_saved(path: Path) -> SavedModel:
    """Read and check the header of a saved model.

    Raises `SpecError` where the file cannot be read, is damaged or too large, or was not written by `save_model`.
    """
    with open_file(path) as file:
        header, start, size = read_header(path, file)
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or "spec" not in metadata:
        hint = "only what `build -o` or `save_model` wrote can be read"
        raise fail("bad-model-file", "a safetensors file without a spec in its metadata", whole_file(path), hint)
    _check_file_format(path, metadata.get("file_format", str(FILE_FORMAT)))
    for key in METADATA:
        if not isinstance(metadata.get(key), str):
            raise damaged(path, f"its metadata has no text '{key}'")
    tensors = _tensors(path, header, size - start)
    return SavedModel(path, size, metadata, _ties(path, metadata["ties"]), tensors, _spec(path, metadata))


def damaged(path: Path, reason: str, hint: str | None = None) -> SpecError:
    """The error for a file that `save_model` would not have written, to be raised by the caller."""
    return fail("bad-model-file", f"not a model that can be read: {reason}", whole_file(path), hint)


def shown(name: str) -> str:
    """A name out of an untrusted file: short, quoted, without control characters."""
    return ascii(name if len(name) <= 80 else f"{name[:77]}...")


def _check_file_format(path: Path, written: object) -> None:
    if not (isinstance(written, str) and written.isascii() and written.isdigit() and len(written) < 10):
        raise damaged(path, "the version of its format is no number")
    if int(written) > FILE_FORMAT:
        hint = "upgrade weightspec to read it"
        raise damaged(path, f"it was written by a newer weightspec, in format {written}", hint)


def read_header(path: Path, file: BinaryIO) -> tuple[dict[str, Any], int, int]:
    """The header of a safetensors file as JSON, where the tensors start, and how large it is. Raises `SpecError`."""
    size = os.fstat(file.fileno()).st_size
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > size - 8:
        raise damaged(path, "no safetensors file, or only the first part of one")
    if length > MAX_HEADER_BYTES:
        raise fail("too-large", f"a header of more than {MAX_HEADER_BYTES} bytes", whole_file(path))
    try:
        text = file.read(length).decode("utf-8")
    except UnicodeDecodeError:
        raise damaged(path, "its header is no UTF-8 text") from None
    return _json(path, text, "its header"), 8 + length, size


def _json(path: Path, text: str, what: str) -> dict[str, Any]:
    """A JSON object without repeated keys."""
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise damaged(path, f"{what} is no JSON") from None
    if not isinstance(value, dict):
        raise damaged(path, f"{what} is no JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key is written twice")
    return value


def _ties(path: Path, text: str) -> dict[str, str]:
    ties = _json(path, text, "the text 'ties' of its metadata")
    if not all(isinstance(owner, str) for owner in ties.values()):
        raise damaged(path, "the text 'ties' of its metadata is no JSON object of names")
    return ties


def _spec(path: Path, metadata: dict[str, str]) -> Source:
    text = metadata["spec"]
    if len(text.encode(errors="surrogatepass")) > MAX_FILE_BYTES:
        raise fail("too-large", f"the spec inside is larger than {MAX_FILE_BYTES} bytes", whole_file(path))
    try:
        right = spec_hash(text) == metadata["spec_sha256"]
    except UnicodeEncodeError:
        raise fail("not-text", "the spec inside is not UTF-8 text", whole_file(path)) from None
    if not right:
        raise damaged(path, "the spec inside was changed; its hash is not the one in 'spec_sha256'")
    return Source(str(path), text, path)


def _tensors(path: Path, header: dict[str, Any], available: int) -> dict[str, StoredTensor]:
    """The tensors in the header, which have to fill the `available` bytes without gaps."""
    tensors: dict[str, StoredTensor] = {}
    byte_ranges: list[tuple[int, int]] = []
    for name, entry in header.items():
        tensor, start, end = _tensor(path, name, entry)
        tensors[name] = tensor
        byte_ranges.append((start, end))
    at = 0
    for start, end in sorted(byte_ranges):
        if start != at:
            raise damaged(path, "its tensors overlap, or there are gaps between them")
        at = end
    if at != available:
        raise damaged(path, f"its tensors take {at} bytes, but it holds {available}")
    return tensors


def _tensor(path: Path, name: str, entry: object) -> tuple[StoredTensor, int, int]:
    """A tensor, and the bytes from `start` to `end` that it takes."""
    match entry:
        case {"dtype": str() as dtype, "shape": list() as shape, "data_offsets": [int() as start, int() as end]}:
            pass
        case _:
            raise damaged(path, f"tensor {shown(name)} lacks a dtype, a shape or a place")
    if dtype not in DTYPES:
        raise damaged(path, f"tensor {shown(name)} is of type {shown(dtype)}, which no spec stores")
    is_shape = len(shape) <= _MAX_RANK and all(type(length) is int and 0 <= length <= MAX_STORED for length in shape)
    if not is_shape or not 0 <= start <= end or end - start != math.prod(shape) * _ITEM_BYTES[dtype]:
        raise damaged(path, f"the shape and the size of tensor {shown(name)} do not go together")
    return StoredTensor(DTYPES[dtype], tuple(shape)), start, end
