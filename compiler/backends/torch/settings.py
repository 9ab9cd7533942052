"""The settings of torch that change what a module computes on the CPU.

A verdict is about the module under torch's own defaults. Where a program has changed one, it is set back meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import torch

from compiler.source.diagnostics import fail

EXACT = ("none", "ieee")  # precisions that keep all bits of float32 products; `none` leaves it to a wider setting
NUMBERS_PER_THREAD = 1 << 15  # torch gives each of its threads so many numbers at least
mkldnn: Any = torch.backends.mkldnn  # its type lacks some of its attributes
TINY = 2.0**-1022  # the smallest normal double


@dataclass(frozen=True)
class Setting:
    """`read` and `write` are torch's own functions; a value that is not one of the `assumed` is replaced by the last of
    them. A version of torch that does not have it has no such setting to be wrong."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]
    assumed: tuple[object, ...]


def _attribute(name: str, assumed: tuple[object, ...]) -> Setting:
    """A setting that is an attribute: `torch.backends.mkldnn.enabled`."""
    path, _, attribute = name.removeprefix("torch.").rpartition(".")
    owner = attrgetter(path)
    return Setting(
        name,
        lambda: getattr(owner(torch), attribute),
        lambda value: setattr(owner(torch), attribute, value),
        assumed,
    )


SETTINGS = (  # an inner precision that was not set is that of the outer one, which therefore comes first
    Setting("torch.default_dtype", torch.get_default_dtype, torch.set_default_dtype, (torch.float32,)),
    Setting(
        "torch.deterministic_debug_mode", torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode, (0,)
    ),
    Setting(
        "torch.float32_matmul_precision",
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
        ("highest",),
    ),
    _attribute("torch.backends.fp32_precision", EXACT),
    Setting(
        "torch.backends.mkldnn.fp32_precision",
        lambda: mkldnn.fp32_precision,
        lambda value: mkldnn.set_flags(_fp32_precision=value),  # its attribute sets that of all backends
        EXACT,
    ),
    _attribute("torch.backends.mkldnn.matmul.fp32_precision", EXACT),
    _attribute("torch.backends.mkldnn.enabled", (True,)),
    _attribute("torch.backends.mkldnn.deterministic", (False,)),
)


@contextmanager
def as_assumed() -> Iterator[None]:
    """All settings as a verdict takes them for granted, on this thread; afterwards as they were.

    So is numpy's handling of errors: a program may have told it to raise where nothing is wrong. A function can be
    decorated with `as_assumed()`. Raises `SpecError` where torch still computes otherwise, such as by a variable of the
    environment.
    """
    with ExitStack() as after:
        for setting in SETTINGS:
            _set_right(setting, after)
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                after.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            after.enter_context(torch.device("cpu"))
        after.enter_context(np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"))  # as numpy has it
        _check_rounding()
        _keep_subnormals(after)
        _check_products()
        yield


def _set_right(setting: Setting, after: ExitStack) -> None:
    try:
        before = setting.read()
    except (AttributeError, RuntimeError):  # this torch lacks it, or was told otherwise by a newer name, which follows
        return
    if before not in setting.assumed:
        setting.write(setting.assumed[-1])
        after.callback(setting.write, before)


def _keep_subnormals(after: ExitStack) -> None:
    """The thread's own mode, which has no getter. Threads that torch has started keep the one that they began with:
    where one of them loses subnormal numbers, nothing is shared with them."""
    if not _keeps_subnormals(1):
        if not torch.set_flush_denormal(False) or not _keeps_subnormals(1):
            raise _refusal("takes subnormal numbers as zero")
        after.callback(torch.set_flush_denormal, True)
    threads = torch.get_num_threads()
    if threads > 1 and not _keeps_subnormals(NUMBERS_PER_THREAD * threads):
        torch.set_num_threads(1)
        after.callback(torch.set_num_threads, threads)


def _keeps_subnormals(size: int) -> bool:
    """Whether half the smallest normal number is not zero, computed by as many threads as such a size is shared by."""
    return bool((torch.from_numpy(np.full(size, TINY)) / 2).numpy().all())


def _check_rounding() -> None:
    """That this thread rounds to nearest: a library for intervals may have left it otherwise."""
    ones = np.array([1.0, 1.0, -1.0, -1.0])
    if not np.array_equal(ones + np.array([1, -1, 1, -1]) * TINY, ones):
        raise _refusal("does not round to nearest")


def _check_products() -> None:
    """That float32 products keep all bits, whatever decides that. This number has 24, and no sum of two in bfloat16."""
    identity = torch.eye(64, dtype=torch.float32)
    number = identity * (2**24 - 3)
    if not torch.equal(number @ identity, number):
        raise _refusal("multiplies float32 matrices in a shorter format")


def _refusal(what: str) -> Exception:
    hint = "look for a variable such as ONEDNN_DEFAULT_FPMATH_MODE, or a library that was loaded"
    return fail("torch-settings", f"torch {what} here, which no verdict can be based on", hint=hint)
