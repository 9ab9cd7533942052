"""What a long run has found so far, kept in a file of the user's cache: the same run can be resumed later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import torch

from compiler.backends.torch.foreign import ForeignModel, Subject
from compiler.backends.torch.saving import spec_text
from compiler.evaluation.answer_counts import Tally
from compiler.evaluation.evaluator import Failure
from compiler.pipeline import Spec
from compiler.source.diagnostics import fail
from compiler.source.faults import no_rule
from compiler.source.files import remove_all_left_overs, write_whole
from compiler.source.user_cache import is_private, private_folder
from compiler.source.version import installed_version
from compiler.source.writing import write_document
from compiler.tasks.task import Part

RUN_FORMAT = 2
LONG = 1_000_000  # inputs; a suite with more of them is saved now and then
MAX_SAVED_BYTES = 1 << 28  # of one state
MOST_FILES = 200  # that are kept; the oldest go


class DamagedState(ValueError):
    """A saved state from which a run cannot be resumed; the message is the reason."""


@dataclass(frozen=True)
class RunState:
    """The tallies of the parts of a suite that were begun, in order, and how long that took."""

    tallies: tuple[Tally, ...] = ()
    seconds: float = 0.0

    @property
    def done(self) -> int:
        return sum(tally.done for tally in self.tallies)

    @property
    def right(self) -> int:
        return sum(tally.right for tally in self.tallies)


@dataclass(frozen=True)
class SavedRun:
    """The place where the state of a run is kept. `key` stands for all that decides what the run finds."""

    path: Path
    key: str

    def load(self, parts: Sequence[Part]) -> RunState | None:
        """The state of an earlier run of these parts; None where there is none.

        Raises `DamagedState`, and `SpecError` for what a newer version has written, which is not to be lost.
        """
        try:
            if not is_private(self.path):
                raise DamagedState("others can write to it, or it is no file of yours")
            if self.path.stat().st_size > MAX_SAVED_BYTES:
                raise DamagedState("it is too large")
            saved = json.loads(self.path.read_bytes())
            if not isinstance(saved, dict) or not isinstance(saved.get("format"), int):
                raise DamagedState("it is damaged")
            if saved["format"] > RUN_FORMAT:
                hint = "upgrade weightspec to go on with it, or begin again with `eval --restart`"
                raise fail("newer-format", "the saved state of this run was written by a newer weightspec", None, hint)
            if saved["format"] < RUN_FORMAT:
                raise DamagedState("an older weightspec wrote it")
            if saved["run"] != self.key:
                raise DamagedState("it is of another run")
            if saved["digest"] != _digest(saved["state"]):
                raise DamagedState("its content was changed")
            return _checked(_state(json.loads(saved["state"])), parts)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DamagedState(error.strerror or str(error)) from None
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise error if isinstance(error, DamagedState) else DamagedState("it is damaged") from None

    def save(self, state: RunState) -> None:
        """Write the state, whole or not at all. Raises `OSError`."""
        text = json.dumps(_as_json(state), separators=(",", ":"))
        whole = json.dumps({"format": RUN_FORMAT, "run": self.key, "digest": _digest(text), "state": text}).encode()
        if len(whole) > MAX_SAVED_BYTES:
            raise OSError(27, f"the state would be larger than {MAX_SAVED_BYTES:,} bytes")
        if not self.path.exists():
            _drop_oldest(self.path.parent)
        write_whole(self.path, whole, mode=0o600)

    @property
    def is_of_other_versions(self) -> bool:
        """Whether there is a state of the same run, but only one that other versions have found."""
        question = self.path.name.partition("-")[0]
        return not self.path.exists() and any(self.path.parent.glob(f"{question}-*.json"))

    def forget(self) -> None:
        with suppress(OSError):
            self.path.unlink()


def saved_run(
    subject: Subject, suite: str, parts: Sequence[Part], seed: int | None, kept: int, *, in_batches: bool
) -> SavedRun | None:
    """Where the state of a run is kept; None where there is no safe cache, or nothing tells two models apart.

    The engine makes no difference, as the verdicts are the plain module's with any of them; but those that are only of
    batches are kept apart.
    """
    folder = private_folder("runs")
    if folder is None or (isinstance(subject, ForeignModel) and subject.sha256 is None):
        return None
    remove_all_left_overs(folder)
    facts = {
        **_subject_facts(subject),
        **({"sizes": dict(choice)} if (choice := subject.resolved.asked[0].choice) else {}),
        "suite": suite,
        "parts": [[part.label, part.size] for part in parts],
        "seed": seed,
        "failures": kept,
        "in_batches": in_batches,
    }
    versions = {"torch": torch.__version__, "compiler": installed_version() or ""}
    question, key = (_digest(json.dumps(one, sort_keys=True)) for one in (facts, {**facts, **versions}))
    return SavedRun(folder / f"{question}-{key}.json", key)


def _subject_facts(subject: Subject) -> dict[str, object]:
    match subject:
        case Spec():
            settings, dtype = list(subject.settings), subject.network.dtype.name
            return {"spec": spec_text(subject), "settings": settings, "dtype": dtype}
        case ForeignModel(sha256=sha256, like=like):
            facts = {"sha256": sha256, "like": None if like is None else _subject_facts(like)}
            return {**facts, "task": write_document(subject.resolved.document), "decode": subject.decode}
        case _:
            raise no_rule("model", subject)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _as_json(state: RunState) -> dict[str, object]:
    return {
        "seconds": state.seconds,
        "parts": [
            {
                **vars(tally),
                "failures": list(map(astuple, tally.failures)),
                "classes": [[*key, count, inputs] for key, (count, inputs) in tally.classes.items()],
            }
            for tally in state.tallies
        ],
    }


def _state(saved: Mapping[str, Any]) -> RunState:
    return RunState(tuple(_tally(part) for part in saved["parts"]), float(saved["seconds"]))


def _tally(saved: Mapping[str, Any]) -> Tally:
    failures = tuple(Failure(tuple(inputs), *texts) for inputs, *texts in saved["failures"])
    classes = {
        (slot, expected, said): (count, tuple(inputs)) for slot, expected, said, count, inputs in saved["classes"]
    }
    done, right, close, batched = (saved[name] for name in ("done", "right", "close", "batched"))
    return Tally(done, right, close, batched, failures, classes, saved["other"])


def _checked(state: RunState, parts: Sequence[Part]) -> RunState:
    """The state, whose figures add up. Raises `DamagedState`."""
    sizes = [part.size for part in parts][: len(state.tallies)]
    whole = all(tally.done == size for tally, size in zip(state.tallies[:-1], sizes, strict=False))
    within = len(state.tallies) == len(sizes) and all(
        tally.done <= size for tally, size in zip(state.tallies, sizes, strict=True)
    )
    wrong = [tally.done - tally.right for tally in state.tallies]
    classed = [sum(count for count, _ in tally.classes.values()) + tally.other for tally in state.tallies]
    if not (whole and within and wrong == classed):
        raise DamagedState("its figures do not add up")
    return state


def _drop_oldest(folder: Path) -> None:
    """Make room for one more file."""
    with suppress(OSError):
        files = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in files[: max(0, len(files) - MOST_FILES + 1)]:
            path.unlink()
