"""The tasks of the package draw, say and step as they did before they were files: `facts.json` is of that time."""

from __future__ import annotations

import json

import pytest

from compiler.tasks import adderboard
from tests.helpers import DATA
from tests.tasks.facts import SIZES, facts, name_of
from tests.tasks.packaged import package_task

GOLDEN = json.loads((DATA / "tasks" / "facts.json").read_text(encoding="utf-8"))

SINCE = ("transitions", "long_runs")  # suites that there were not; nobody runs them who does not ask for them


@pytest.mark.parametrize(("kind", "sizes"), SIZES, ids=[name_of(*size) for size in SIZES])
def test_facts(kind: str, sizes: dict[str, int]) -> None:
    expected = GOLDEN[name_of(kind, sizes)]
    found = json.loads(json.dumps(facts(package_task(kind, **sizes))))
    if kind == "addition" and sizes["base"] ** sizes["digits"] > adderboard.LARGEST + 1:
        assert expected["suites"].pop(adderboard.NAME)[-1] == "refused"  # it was for ten decimal digits only
        assert found["suites"].pop(adderboard.NAME)[-1] != "refused"
    for name in SINCE:
        if name in found["suites"]:
            assert found["suites"].pop(name)[1].endswith("sampled False run False False")
    assert found == expected
    assert list(found["suites"]) == list(expected["suites"])


def test_every_task_of_the_time_is_there() -> None:
    assert set(GOLDEN) == {name_of(*size) for size in SIZES}
