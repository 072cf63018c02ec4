"""A seeded sample of the hostile cases of every area, and the laws with few inputs; all of them are run by `make torture`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.robustness import case as cases
from tests.robustness import children, oracles, run
from tests.robustness.case import CRASH, FINE, HANG, NAMED, RAW, WRONG, Case, Wrong

ROOT = Path(__file__).parents[2]
SECONDS = 40
AREAS = 13  # labels, images, …: of each some are tried


def test_a_sample_of_hostile_cases_is_right_or_refused_by_name():
    """In a process of its own: children of this one would inherit its threads."""
    kinds = [k for k in run.KINDS if k != "laws"]  # those are below
    command = [sys.executable, "-m", "tests.robustness.run", *kinds, "--each", "25", "--minutes", f"{SECONDS / 60}"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    told = {line.split(" | ")[0].strip("| ") for line in done.stdout.splitlines() if line.startswith("| ")}
    assert len(told) == AREAS + 3  # with the head, its line and the sums


# --- The tester itself ---


def named(folder, seed):
    from cellgraph_clr._core.checks import check_whole

    check_whole("k", "x")


def raw(folder, seed):
    from cellgraph_clr._core.checks import listing

    listing(3)


def wrong(folder, seed):
    oracles.close([1.0], [2.0], "a number")


def hanging(folder, seed):
    import time

    time.sleep(60)


def crashing(folder, seed):
    import ctypes

    ctypes.string_at(0)


TELLTALES = {named: NAMED, raw: RAW, wrong: WRONG, hanging: HANG, crashing: CRASH}


def test_every_verdict_is_given_and_the_rest_goes_on():
    fine = Case("a", "fine", lambda folder, seed: (folder / "x").write_text("x"))
    made = [Case("a", f.__name__, f, limit=1.0 if f is hanging else 15.0) for f in TELLTALES]
    listed = [one for c in made for one in (c, fine)]
    found = list(children.outcomes(listed, 3))
    assert [r.name for r in found] == [c.name for c in listed]
    assert [r.verdict for r in found] == [v for verdict in TELLTALES.values() for v in (verdict, FINE)]
    assert {r.seed for r in found} == {3}
    assert found[8].text == "SIGSEGV"
    assert "_core/checks.py" in found[2].text


def test_what_must_come_of_an_input():
    def refusing():
        named(None, 0)

    def gives():
        return 3

    with pytest.raises(Wrong, match="valid, but refused"):
        cases.right(refusing, cases.anything)
    with pytest.raises(Wrong, match="accepted, gave 3"):
        cases.refused(gives)
    with pytest.raises(Wrong, match="a number"):
        cases.either(gives, lambda found: oracles.close(found, 2, "a number"))
    cases.right(gives, lambda found: oracles.close(found, 3, "a number"))


def test_code_that_ran_is_seen():
    ran = Case("a", "ran", lambda folder, seed: (folder / "PWNED").touch())
    assert [r.verdict for r in children.outcomes([ran], 0)] == [WRONG]


def test_the_oracles_agree_and_see_a_shift():
    import numpy as np

    from tests.robustness.scenes import SPACING, light, plain

    for d in (2, 3):
        found = [oracle(plain(d), light(d), SPACING[d]) for oracle in oracles.ORACLES.values()]
        for other in found[1:]:
            assert set(other) == set(found[0])
            for cell, values in other.items():
                np.testing.assert_allclose(values, found[0][cell], rtol=1e-9)
        one, other = (f(plain(d), SPACING[d]) for f in (oracles.contacts_by_loops, oracles.contacts_by_shifts))
        assert one == pytest.approx(other)
        assert one != pytest.approx(oracles.contacts_by_shifts(np.roll(plain(d), 3, axis=-1), SPACING[d]))


def test_a_sample_is_the_same_for_a_seed_and_of_every_area():
    every = run.cases_of(["labels", "pickles"])
    one, again, other = (run.sampled(every, 9, s) for s in (1, 1, 2))
    assert [c.name for c in one] == [c.name for c in again] != [c.name for c in other]
    assert {c.area for c in one} == {c.area for c in every}


def laws():
    from tests.robustness.laws import LAWS

    return LAWS


@pytest.mark.parametrize("law", laws(), ids=lambda law: law.holds.__name__)
@pytest.mark.filterwarnings("ignore")
def test_laws(law):
    from tests.robustness.laws import tried

    tried(law, 10, None)
