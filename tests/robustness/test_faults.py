"""A few seconds of `faults`: what is written without work before it survives all of them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
KINDS = ("kill -9", "Ctrl-C", "limit of file size", "folder without rights", "two writers")


def test_what_is_saved_survives_all_faults():
    words = [sys.executable, "-m", "tests.robustness.faults", "--kills", "8", "--only-saves"]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {line[:34].strip(): line[34:].split() for line in done.stdout.splitlines()}
    for kind in KINDS:
        tried, held, failed = map(int, rows[kind])
        assert tried == held > 0
        assert failed == 0
