"""The commands: which functions each of them calls, what it reads and writes, and an example.

Options come from the signatures of the functions (`cli.options`); `LEFT_OUT` and `left_out` name those that are none, and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cellgraph_clr.cli.signatures import Parameter, parameters_of

__all__ = ["COMMANDS", "LEFT_OUT", "NO_COMMAND", "Command", "options_from"]

LEFT_OUT = {  # of all commands
    "adata": "the input file",
    "adatas": "the input files",
    "df": "the input file",
    "plate": "the input folder",
    "movie": "the input file",
    "copy": "files are never written over unless `--in-place` says so",
    "output": "`--output`",
    "save": "`--output`",
    "show": "pictures are written",
    "ax": "axes are objects of Python",
    "progress": "shown on a terminal; `--quiet` hides it",
    "augment": "functions of your own are objects of Python",
}
NO_COMMAND = {  # functions of the face without a command, and why
    "gr.aggregate_neighbors": "`context` and `morpho --context` describe surroundings",
    "gr.intersect_graphs": "two graphs are combined in Python",
    "gr.surface_distances": "`graph --method radius --distance surface`",
    "gr.temporal_matches": "features for events of marked cells, which are marked in Python",
    "pp.scale_features": "`embed --scale`, `context --scale`",
    "tl.build_index": "an index answers many queries of one session",
    "tl.profile_cells": "profiles at cells of a plate that is open in Python",
    "tl.select_region": "outlines are drawn in napari",
    "tl.time_arrow": "`events --output`",
    "im.extract_patches": "arrays",
    "im.sample_surfaces": "arrays",
    "pl.arrow_attribution": "needs a model and a movie",
    "pl.cell_gallery": "`report --labels`",
    "pl.event_errors": "of tables",
    "pl.feature_range": "`report --labels`",
    "pl.label_qc": "of tables; `inspect`",
    "pl.loss_weights": "a figure on losses",
    "pl.training": "of a history in memory",
    "pl.window_gallery": "needs the plate",
    "from_movie": "`events --output`",
    "from_plate": "masks of plates are measured in Python",
    "from_pyg": "objects of Python",
    "from_spatialdata": "objects of Python",
    "to_napari": "objects of Python",
    "to_networkx": "objects of Python",
    "to_pyg": "objects of Python",
    "to_spatialdata": "objects of Python",
    "to_vitessce": "a configuration to go on with in Python",
    "read": "every command reads",
    "read_labels": "`measure`",
    "validate": "`inspect`",
    "write": "every command writes",
}


@dataclass(frozen=True)
class Command:
    """What a command calls, reads and writes."""

    summary: str
    example: str
    run: str  # module and function that do it
    functions: Mapping[Any, str]  # value of the option `choice` -> function; where there is none: number -> function
    choice: str = ""
    default: Any = None
    configs: Sequence[str] = ()
    arguments: Sequence[str] = ()
    inputs: str = "AnnData: .h5ad or .zarr"
    writes: str = "cells"  # "cells": -o or --in-place; "answer": if told to; "new", "table", "page", "picture": -o
    extra: Sequence[Parameter] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


def options_from(command: Command) -> list[Parameter]:
    """Return the options of a command that are parameters of its functions and configurations, each name once."""
    found: dict[str, Parameter] = {}
    for dotted in (*command.functions.values(), *command.configs):
        for p in parameters_of(dotted):
            if p.name not in LEFT_OUT and p.name not in command.left_out:
                known = found.setdefault(p.name, p)
                if len(command.functions) > 1 and not p.default and known.default:
                    found[p.name] = known
    return list(found.values())


def own(name: str, annotation: str, default: str, text: str) -> Parameter:
    """Return an option that is of the command alone."""
    return Parameter(name, annotation, default, text)


SCALE = own(
    "scale",
    "bool",
    "True",
    "Bring the features in X to one scale first (median for missing ones) where X is read; X is written scaled",
)
MODEL_FILE = own("save_model", "PathLike", "None", "Write the trained model here (.safetensors)")
TABLE = own("table", "PathLike", "None", "Write the table as .csv")
GRAPHS = {k: f"gr.{k}_graph" for k in ("contact", "delaunay", "knn", "radius", "temporal")}
PLOTS = {
    k: f"pl.{k}" for k in ("spatial", "graph", "retrieval", "interactions", "reliability", "confusion", "composition")
}
ROWS = {"rows": "cells are chosen in Python"}

COMMANDS: dict[str, Command] = {
    "inspect": Command(
        "Say what a file holds, and whether it follows the layout; look over masks.",
        "cellgraph-clr inspect cells.tif --json",
        "answers.inspect",
        {0: "im.label_qc"},
        inputs="AnnData or label image",
        writes="nothing",
        left_out={"labels": "the input file", "library_id": "of an AnnData that is written", "adata": "the input file"},
    ),
    "measure": Command(
        "Measure the cells of a label image.",
        "cellgraph-clr measure cells.tif --image raw.tif --spacing 0.5,0.5 --unit micrometer -o cells.h5ad",
        "cells.measure",
        {0: "from_labels"},
        arguments=("labels",),
        writes="new",
    ),
    "table": Command(
        "Turn a table of cells into AnnData.",
        "cellgraph-clr table cells.csv --position x,y --unit micrometer -o cells.h5ad",
        "cells.table",
        {0: "from_table"},
        inputs="Table of cells: .csv, .tsv or .parquet",
        writes="new",
    ),
    "concat": Command(
        "Join samples into one file, each named by its file.",
        "cellgraph-clr concat a.h5ad b.h5ad --library-key sample -o both.h5ad",
        "cells.concat",
        {0: "concat"},
        inputs="AnnData: .h5ad or .zarr, two or more",
        writes="new",
    ),
    "split": Command(
        "Split cells into training and test, by sample, block of tissue, or cell.",
        "cellgraph-clr split graph.h5ad --by block -o split.h5ad",
        "cells.change",
        {0: "pp.split"},
    ),
    "graph": Command(
        "Join cells that touch, or are near: the spatial graph.",
        "cellgraph-clr graph cells.h5ad --method delaunay -o graph.h5ad",
        "cells.change",
        GRAPHS,
        choice="method",
        default="contact",
        left_out={"parents": "a mapping of Python"},
    ),
    "embed": Command(
        "Learn an embedding of the cells from their features and the graph.",
        "cellgraph-clr embed graph.h5ad --n-steps 300 --save-model model.safetensors -o embedded.h5ad",
        "learn.embed",
        {0: "tl.embed"},
        configs=("models.CellGraphCLRConfig", "training.recipe.Recipe", "models.CellGraphCLR"),
        extra=(SCALE, MODEL_FILE),
    ),
    "context": Command(
        "Describe cells by themselves, their surroundings, and tissue like theirs.",
        "cellgraph-clr context graph.h5ad -o context.h5ad",
        "cells.change",
        {0: "tl.context"},
        configs=("analysis.context.ContextOptions",),
        extra=(SCALE,),
    ),
    "interactions": Command(
        "Which cell types lie next to which, beyond what is near.",
        "cellgraph-clr interactions graph.h5ad cell_type --table interactions.csv",
        "cells.change",
        {0: "tl.interactions"},
        arguments=("label_key",),
        writes="answer",
        extra=(TABLE,),
    ),
    "classify": Command(
        "Predict a class and its confidence for every cell, from the labeled ones.",
        "cellgraph-clr classify embedded.h5ad cell_type --min-confidence 0.6 -o typed.h5ad",
        "cells.change",
        {0: "tl.classify"},
        configs=(
            "models.classifiers.SoftInfoNCEConfig",
            "training.recipe.Recipe",
            "models.CalibratedTrees",
            "models.CellGraphClassifierConfig",
        ),
        arguments=("label_key",),
        left_out={"loss": "`--method`", "class_weight": "weights of Python"},
    ),
    "transfer": Command(
        "Label cells by the most similar cells of a labeled reference.",
        "cellgraph-clr transfer embedded.h5ad reference.h5ad cell_type -o typed.h5ad",
        "cells.change",
        {0: "tl.transfer_labels"},
        arguments=("reference", "label_key"),
    ),
    "cluster": Command(
        "Cluster cells by their embedding.",
        "cellgraph-clr cluster embedded.h5ad --resolution 0.5 -o clusters.h5ad",
        "cells.change",
        {0: "tl.cluster"},
    ),
    "retrieve": Command(
        "Find cells or regions like a query.",
        "cellgraph-clr retrieve embedded.h5ad 12,15,18 --regions --table regions.csv",
        "cells.change",
        {False: "tl.retrieve", True: "tl.retrieve_regions"},
        choice="regions",
        default=False,
        arguments=("query",),
        writes="answer",
        extra=(TABLE,),
    ),
    "morpho": Command(
        "Learn shape and texture of cells; with --context their surroundings of it.",
        "cellgraph-clr morpho cells.h5ad --labels cells.tif --image raw.tif -o morpho.h5ad",
        "learn.morpho",
        {False: "tl.morpho_features", True: "tl.morpho_context"},
        choice="context",
        default=False,
        configs=("models.MorphoFeaturesConfig", "training.recipe.Recipe"),
        extra=(MODEL_FILE,),
    ),
    "events": Command(
        "Find divisions and deaths in a movie.",
        "cellgraph-clr events raw.tif --labels masks.tif --tracks man_track.txt --table events.csv",
        "learn.events",
        {0: "read_movie", 1: "tl.detect_events"},
        configs=("models.TimeArrowConfig", "training.recipe.Recipe"),
        inputs="Movie: .tif, .npy, .zarr, or a folder with one file a frame",
        writes="table",
        extra=(MODEL_FILE,),
        left_out={
            "path": "the input file",
            "label_key": "cells are marked in Python",
            "use_rep": "of marked cells",
            "library_key": "of marked cells",
        },
    ),
    "profile": Command(
        "Profile the fields of a plate.",
        "cellgraph-clr profile plate '(?P<sample>\\w+)_(?P<field>\\d+)\\.tif' -o profiles.h5ad",
        "learn.profile",
        {0: "read_plate", 1: "tl.profile"},
        configs=("models.DeepInfoMaxConfig", "training.recipe.Recipe"),
        arguments=("pattern",),
        inputs="Folder of images with a pattern, OME-Zarr plate, or OME-TIFF with one",
        writes="new",
        extra=(MODEL_FILE,),
        left_out={"path": "the input folder"},
    ),
    "plot": Command(
        "Draw cells, their graph, what a query found, or how good predictions are.",
        "cellgraph-clr plot cells.h5ad --color cell_type --labels cells.tif -o cells.png",
        "answers.plot",
        PLOTS,
        choice="kind",
        default="spatial",
        writes="picture",
        left_out=ROWS,
    ),
    "report": Command(
        "Write one page to look at cells and ask which others are like them.",
        "cellgraph-clr report embedded.h5ad --labels cells.tif -o cells.html",
        "answers.report",
        {0: "report"},
        writes="page",
    ),
}
