"""Commands that train a model, or apply a saved one: `embed`, `morpho`, `events`, `profile`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.cli.cells import change, checked_cells, needed, of_functions, picked, scaled
from cellgraph_clr.cli.outputs import check_written, save_anndata, save_model, save_table
from cellgraph_clr.cli.said import is_quiet, say

if TYPE_CHECKING:
    from cellgraph_clr.cli.commands import Command

__all__ = ["embed", "events", "morpho", "profile"]

Options = dict[str, Any]  # by name


def _divided(command: Command, given: Options, fit: tuple[str, ...]) -> tuple[Options, Options, Options]:
    """Return the options of the model, of its fit, and of the function that applies it."""
    made = of_functions(command.configs, given)
    fitted = {k: v for k, v in given.items() if k in fit}
    applied = {k: v for k, v in given.items() if k not in made and k not in ("checkpoint", "model")}
    return made | ({"progress": False} if is_quiet() else {}), fitted, applied


def _alone(given: dict[str, Any], made: dict[str, Any]) -> None:
    """Raise `OptionError` for options of training beside a saved model."""
    from cellgraph_clr.cli.options import flag_of

    trained = [f"`{flag_of(n)}`" for n in (*made, "checkpoint") if n in given]
    if trained:
        raise OptionError(expected("no options of training beside `--model`", ", ".join(trained), "Leave them out."))


def embed(command: Command, typed: dict[str, Any], given: dict[str, Any]) -> None:
    """Train an encoder on cells or apply one, and write the embedding."""
    from cellgraph_clr import tl
    from cellgraph_clr.io.anndata_files import read

    target = checked_cells(command, typed, given)
    made, fit, applied = _divided(command, given, ("use_rep", "neighbors_key", "library_key", "checkpoint"))
    if "model" in given:
        _alone(given, made)
    adata = read(typed["path"])
    scaled(adata, typed.get("scale"), given.get("use_rep"))
    from cellgraph_clr.models import CellGraphCLR

    fitted = CellGraphCLR.load(given["model"]) if "model" in given else CellGraphCLR(**made).fit(adata, **fit)
    tl.embed(adata, model=fitted, **applied)
    _saved(adata, fitted, target, typed)


def morpho(command: Command, typed: dict[str, Any], given: dict[str, Any]) -> None:
    """Learn the shape and texture of cells, or describe their surroundings by what was learned."""
    if given.get("context"):
        change(command, typed, given)
        return
    from cellgraph_clr import tl
    from cellgraph_clr.io.anndata_files import read
    from cellgraph_clr.io.labels import as_label_image
    from cellgraph_clr.io.matched_labels import labels_of_cells
    from cellgraph_clr.models import MorphoFeatures

    target = checked_cells(command, typed, given)
    dotted, given = picked(command, given)
    needed(dotted, given)
    made, _, applied = _divided(command, given, ())
    if "model" in given:
        _alone(given, made)
    adata = read(typed["path"])
    if "nuclei" in applied:
        applied["nuclei"] = as_label_image(applied["nuclei"], warn=False).labels
    if "model" in given:
        fitted = MorphoFeatures.load(given["model"])
    else:
        _, picture = labels_of_cells(
            adata, applied["labels"], applied.get("image"), library_id=applied.get("library_id")
        )
        fitted = MorphoFeatures(**made).fit(picture, nuclei=applied.get("nuclei"), checkpoint=given.get("checkpoint"))
    tl.morpho_features(adata, model=fitted, **applied)
    _saved(adata, fitted, target, typed)


def _saved(adata: Any, fitted: Any, target: Any, typed: dict[str, Any], what: str = "cells") -> None:
    """Write the results, then the model."""
    if target is not None:
        save_anndata(adata, target, what)
    if typed.get("save_model") is not None:
        save_model(fitted, typed["save_model"], written=[typed.get("table"), target])


def events(command: Command, typed: dict[str, Any], given: dict[str, Any]) -> None:
    """Learn events from a lineage, or apply a saved classifier, and write what is found."""
    from cellgraph_clr import io, tl
    from cellgraph_clr.models import EventClassifier, TimeArrow

    absent = [f"--{n}" for n in ("labels", "tracks") if n not in given]
    if "model" not in given and absent:
        found = "no " + " and no ".join(absent)
        raise OptionError(expected("masks and lineage to learn events from", found, "Pass both, or `--model`."))
    output, written = typed.get("output"), typed["table"]
    if output is not None and "labels" not in given:
        raise OptionError(expected("`--labels` for cells", "none", "Leave `--output` out, or pass masks."))
    inputs = [typed["path"], *(given.get(n) for n in ("labels", "tracks", "model"))]
    check_written(anndata=output, table=written, model=typed.get("save_model"), inputs=inputs)
    made, _, _ = _divided(command, given, ())
    if "model" in given:
        _alone(given, {k: v for k, v in made.items() if k != "random_state"})
    movie = io.read_movie(typed["path"], **of_functions(["read_movie"], given))
    say(str(movie))
    fitted = (
        EventClassifier.load(given["model"]) if "model" in given else _spotter(TimeArrow, EventClassifier, movie, made)
    )
    adata = io.from_movie(movie) if output is not None else None
    options = {k: v for k, v in given.items() if k in ("min_confidence", "key_added")}
    found_events = tl.detect_events(movie, model=fitted, adata=adata, **options)
    save_table(found_events, written, index=False)
    counts = found_events["event"].value_counts()
    say(counts.to_string() if len(found_events) else "no event", events=counts)
    if adata is not None:
        tl.time_arrow(adata, movie, model=fitted.arrow)
    _saved(adata, fitted, output, typed)


def _spotter(arrow_class: Any, classifier: Any, movie: Any, made: dict[str, Any]) -> Any:
    """Return a classifier of events on the features of a time arrow: it takes half of the steps."""
    arrow = arrow_class(**made).fit(movie)
    accuracy = {"accuracy": float(arrow.accuracy_), "error": float(arrow.accuracy_error_), "chance": 0.5}
    text = f"time arrow on frames not seen: {arrow.accuracy_:.3f} ± {arrow.accuracy_error_:.3f} (chance 0.5)"
    say(text, time_arrow=accuracy)
    run = {k: v for k, v in made.items() if k in ("random_state", "device", "precision", "num_workers", "progress")}
    return classifier(arrow, n_steps=max(1, arrow.config.n_steps // 2), **run).fit(movie)


def profile(command: Command, typed: dict[str, Any], given: dict[str, Any]) -> None:
    """Learn profiles of the fields of a plate, or apply a saved model, and write the windows."""
    from cellgraph_clr import io, tl
    from cellgraph_clr.models import DeepInfoMax

    inputs = [typed["path"], given.get("layout"), given.get("model")]
    check_written(
        anndata=typed["output"], files=[given.get("checkpoint")], model=typed.get("save_model"), inputs=inputs
    )
    made, fit, _ = _divided(command, given, ("samples", "checkpoint"))
    if "model" in given:
        _alone(given, made)
    fields = io.read_plate(typed["path"], **of_functions(["read_plate"], given))
    say(str(fields))
    fitted = DeepInfoMax.load(given["model"]) if "model" in given else DeepInfoMax(**made).fit(fields, **fit)
    adata = tl.profile(fields, model=fitted, **{k: v for k, v in given.items() if k in ("stride", "key_added")})
    _saved(adata, fitted, typed["output"], typed, "windows")
