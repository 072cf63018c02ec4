"""Run the notebooks in place and keep their outputs: `python notebooks/run.py [NAME …] [--data DIR]`, or `make notebooks`.

Cells tagged `data` need a folder of public data sets. Without one they are not run, and the outputs that they have are kept.
Every cell that is run keeps a fingerprint of its source and of those before it, by which a test sees that no source has changed
since.
"""

import argparse
import base64
import hashlib
import io
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).parent
PICTURES = FOLDER.parent / "docs" / "images"
KEY = "fingerprint"
THUMBNAIL = (400, 260)  # pixels
MUCH = 0.75  # JPEG where it takes less than this share of the bytes of a PNG
SETUP = """
import warnings
warnings.filterwarnings("ignore", message="IProgress not found")
%config InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "dpi": 76}
"""


def is_data(cell: NotebookNode) -> bool:
    """Whether a cell belongs to the part on larger data sets."""
    return "data" in cell.metadata.get("tags", [])


def is_run(cell: NotebookNode, *, data: bool = False) -> bool:
    """Whether a cell is code that is run here."""
    return cell.cell_type == "code" and (data or not is_data(cell))


def fingerprints(notebook: NotebookNode) -> dict[str, str]:
    """Return a hash of every code cell by its id: of its source and all before it in its part, shipped or data."""
    told = {part: hashlib.sha256() for part in (False, True)}
    found = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            told[is_data(cell)].update(cell.source.encode() + b"\0")
            found[cell.id] = told[is_data(cell)].hexdigest()[:16]
    return found


def execute(notebook: NotebookNode, folder: Path, *, data: Path | None = None, kernel: str = "python3") -> None:
    """Run the cells of a notebook from top to bottom, in a folder; those that are not run keep what they have."""
    cells = [cell for cell in notebook.cells if is_run(cell, data=data is not None)]
    setup = nbformat.v4.new_code_cell(SETUP)
    running = nbformat.v4.new_notebook(cells=[setup, *cells], metadata=notebook.metadata)
    environment = {k: v for k, v in os.environ.items() if k not in ("MPLBACKEND", "CELLGRAPH_DATA")}
    if data is not None:
        environment["CELLGRAPH_DATA"] = str(data.resolve())
    client = NotebookClient(running, timeout=None, kernel_name=kernel, resources={"metadata": {"path": str(folder)}})
    client.execute(env=environment)


def tidy(notebook: NotebookNode, *, data: bool) -> None:
    """Leave what is the same in every run: small pictures, numbers of cells in order, fingerprints; no times."""
    prints = fingerprints(notebook)
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, 1):
        cell.execution_count = number
        cell.metadata.pop("execution", None)
        if is_run(cell, data=data):
            cell.metadata[KEY] = prints[cell.id]
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = number
            smaller(output.get("data", {}))


def smaller(shown: dict[str, str]) -> None:
    """Write a picture as JPEG where that is much smaller, as for photographs, else as a PNG of few bytes."""
    if "image/png" not in shown:
        return
    drawn = Image.open(io.BytesIO(base64.b64decode(shown["image/png"]))).convert("RGB")
    plain, photo = io.BytesIO(), io.BytesIO()
    drawn.save(plain, "PNG", optimize=True)
    drawn.save(photo, "JPEG", quality=85, subsampling=0, optimize=True)
    if photo.tell() > MUCH * plain.tell():
        shown["image/png"] = base64.b64encode(plain.getvalue()).decode()
    else:
        del shown["image/png"]
        shown["image/jpeg"] = base64.b64encode(photo.getvalue()).decode()


def pictures(cell: NotebookNode) -> list[bytes]:
    """Return the pictures below a cell."""
    shown = [output.get("data", {}) for output in cell.get("outputs", [])]
    return [base64.b64decode(s[kind]) for s in shown for kind in ("image/png", "image/jpeg") if kind in s]


def write_thumbnail(notebook: NotebookNode, target: Path) -> None:
    """Write the picture of the cell tagged `thumbnail`, small, for the page of tutorials."""
    drawn = next(p for cell in notebook.cells if "thumbnail" in cell.metadata.get("tags", []) for p in pictures(cell))
    picture = Image.open(io.BytesIO(drawn)).convert("RGB")
    picture.thumbnail(THUMBNAIL)
    page = Image.new("RGB", THUMBNAIL, "white")
    page.paste(picture, ((THUMBNAIL[0] - picture.width) // 2, (THUMBNAIL[1] - picture.height) // 2))
    page.save(target, quality=80, optimize=True)


def main() -> None:
    """Run the notebooks that are named, or all."""
    parser = argparse.ArgumentParser(description="Run notebooks in place and keep their outputs.")
    names = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(names)}; none is all")
    parser.add_argument("--data", type=Path, help="folder of data sets: runs the cells tagged `data` too")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(names))
    if unknown:
        parser.error(f"Expected names among {', '.join(names)}, found {', '.join(unknown)}.")
    if options.data is not None and not options.data.is_dir():
        parser.error(f"Expected a folder of data sets, found no folder {options.data}.")
    for name in options.names or names:
        path = FOLDER / f"{name}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            execute(notebook, Path(folder), data=options.data)
        tidy(notebook, data=options.data is not None)
        write_thumbnail(notebook, PICTURES / f"tutorial_{name}.jpg")
        nbformat.write(notebook, path)
        sys.stdout.write(f"{path.name}: {path.stat().st_size // 1024} KiB\n")


if __name__ == "__main__":
    main()
