"""Run the code of the gallery and write its pictures into `docs/images`: `python docs/make_gallery.py`."""

import os
import re
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl

DOCS = Path(__file__).parent
WIDTH = 820  # pixels


def main() -> None:
    """Write all pictures, small enough for a repository."""
    mpl.use("Agg")
    from PIL import Image

    code = re.findall(r"^```python\n(.*?)^```$", (DOCS / "gallery.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        names: dict[str, object] = {}
        for block in code:
            exec(compile(block, "gallery.md", "exec"), names)
        for picture in sorted(Path(folder).glob("gallery_*.png")):
            with Image.open(picture) as drawn:
                small = drawn.convert("RGB")
            small.thumbnail((WIDTH, WIDTH))
            target = DOCS / "images" / f"{picture.stem}.jpg"
            small.save(target, quality=82, optimize=True)
            sys.stdout.write(f"{target.name}: {target.stat().st_size // 1024} KiB\n")


if __name__ == "__main__":
    main()
