"""The commands that are no function of Python: `demo` and `doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from cellgraph_clr.cli.said import begin, finish, say

__all__ = ["demo", "doctor"]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object")]


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for pictures and demo.h5ad")] = Path(
        "demo_output"
    ),
    data: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder with platynereis/cells.parquet: run the whole-animal table instead"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few cells and training steps: does everything run? (without --data)")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", "--random-state", help="Seed of everything random")] = 0,
) -> None:
    """Run the main job: a real tissue image and generated tissue with known truth (or the Platynereis table)."""
    from cellgraph_clr._core.outputs import check_output
    from cellgraph_clr.cli.outputs import check_written

    if data is not None and quick:
        raise typer.BadParameter("it goes with the data that ship; leave out --data or --quick", param_hint="--quick")
    check_output(output, "folder").mkdir(exist_ok=True)
    if data is not None:
        from cellgraph_clr.cli.demo_platynereis import PLATYNEREIS_FILES, run_platynereis

        check_written(files=[output / name for name in PLATYNEREIS_FILES])
        run_platynereis(data, output, random_state=seed, say=typer.echo)
        return
    from cellgraph_clr.cli.demo_colon import COLON_FILES, run_colon
    from cellgraph_clr.cli.demo_planted import PLANTED_FILES, run_planted

    check_written(files=[output / name for name in (*COLON_FILES, *PLANTED_FILES)])
    run_colon(output, random_state=seed, say=typer.echo, quick=quick)
    run_planted(output, random_state=seed, say=typer.echo, quick=quick)


def doctor(
    licenses: Annotated[
        bool, typer.Option("--licenses", help="List what is installed with it, and its licenses")
    ] = False,
    json: Json = False,
) -> None:
    """Report versions and hardware, and compile what first calls need by a very small job, or list licenses."""
    from cellgraph_clr.cli.doctor import installation, license_lines

    begin(as_json=json, quiet=False)
    for line in license_lines() if licenses else installation():
        say(line, lines=[line])
    finish()
