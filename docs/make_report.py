"""Run the code of `howto/report.md`, and put the page that it writes where it is told: `python docs/make_report.py PATH`."""

import os
import re
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))


def main() -> None:
    """Write the report."""
    target = Path(sys.argv[1]).resolve()
    page = (DOCS / "howto" / "report.md").read_text()
    code = re.findall(r"^```python.*?\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.chdir(folder)
        exec(compile("".join(code), "report.md", "exec"), {})
        shutil.move(next(Path(folder).glob("*.html")), target)
        os.chdir(DOCS)


if __name__ == "__main__":
    main()
