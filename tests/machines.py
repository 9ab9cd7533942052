"""Runs the tests marked `machine` as if on other processors: `python -m tests.machines [PYTEST OPTIONS]`.

The libraries choose their code by the processor's instructions, and round sums in other orders with other ones. Each
setting below takes instructions away from torch, MKL, oneDNN, OpenBLAS, numpy and the C that we compile. All of this is
for x86-64: other processors run `make test` alone.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module

import torch

CAPABILITIES = ("DEFAULT", "AVX2", "AVX512")  # as torch names them, each with all before it


@dataclass(frozen=True)
class Setting:
    """`capability` is what torch needs of the processor; `numpy` whether numpy keeps what it finds."""

    name: str
    capability: str
    variables: dict[str, str]
    numpy: bool = True


SETTINGS = (
    Setting(
        "without AVX, one thread",
        "DEFAULT",
        {
            "ATEN_CPU_CAPABILITY": "default",
            "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "OPENBLAS_CORETYPE": "Nehalem",
            "WEIGHTSPEC_C_TARGET": "x86-64",
            "OMP_NUM_THREADS": "1",
        },
        numpy=False,
    ),
    Setting(
        "AVX2, three threads",
        "AVX2",
        {
            "ATEN_CPU_CAPABILITY": "avx2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "OPENBLAS_CORETYPE": "Haswell",
            "WEIGHTSPEC_C_TARGET": "x86-64-v3",
            "OMP_NUM_THREADS": "3",
        },
    ),
    Setting(
        "AVX-512 without AMX",
        "AVX512",
        {
            "ATEN_CPU_CAPABILITY": "avx512",
            "MKL_ENABLE_INSTRUCTIONS": "AVX512",
            "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
            "OPENBLAS_CORETYPE": "SkylakeX",
            "WEIGHTSPEC_C_TARGET": "x86-64-v4",
        },
    ),
)


def main() -> int:
    """1 if a test fails under some setting."""
    if platform.machine() not in ("x86_64", "AMD64"):
        print(f"the settings are for x86-64, and this is {platform.machine()}: nothing to do")
        return 0
    found = CAPABILITIES.index(torch.backends.cpu.get_cpu_capability())
    failed = []
    for setting in SETTINGS:
        if CAPABILITIES.index(setting.capability) > found:
            print(f"== {setting.name}: left out, this processor has no {setting.capability}", flush=True)
            continue
        print(f"== {setting.name}", flush=True)
        command = [sys.executable, "-m", "pytest", "-m", "machine and not long", *sys.argv[1:]]
        if subprocess.run(command, env=environment(setting), check=False).returncode:
            failed.append(setting.name)
    print(f"failed: {', '.join(failed)}" if failed else "no setting failed", flush=True)
    return int(bool(failed))


def environment(setting: Setting) -> dict[str, str]:
    features = [] if setting.numpy else numpy_features()
    without = {"NPY_DISABLE_CPU_FEATURES": " ".join(features)} if features else {}
    return {**os.environ, **setting.variables, **without}


def numpy_features() -> list[str]:
    """The instructions that numpy uses here and can do without."""
    numpy = import_module("numpy._core._multiarray_umath")
    return [name for name in numpy.__cpu_dispatch__ if numpy.__cpu_features__[name]]


if __name__ == "__main__":
    sys.exit(main())
