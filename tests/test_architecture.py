"""The shape of the package: imports go downwards, `import` is light, public names exist, style and types hold."""

import ast
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cellgraph_clr as cgc

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cellgraph_clr"
LAYERS = [
    {"_core"},
    {"cells"},
    {"graphs"},
    {"adata"},
    {"encoders", "losses"},
    {"analysis", "training"},
    {"models"},
    {"_report", "cli", "datasets", "gr", "im", "io", "metrics", "pl", "pp", "tl", "__main__", "__init__"},
]
RANK = {name: i for i, layer in enumerate(LAYERS) for name in layer}


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "cellgraph_clr":
            parts = node.module.split(".")
            yield from ([parts[1]] if len(parts) > 1 else [a.name for a in node.names])


def modules_of(*parts):
    return [path for part in parts for path in (PACKAGE / part).rglob("*.py")]


def test_imports_go_downwards():
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for target in imports_of(path):
            if target in RANK and RANK[target] > RANK[part]:
                wrong.append(f"{path.relative_to(ROOT)} imports {target}")
            same_rank = target in RANK and RANK[target] == RANK[part] and target != part
            if same_rank and RANK[part] in (4, 5):
                wrong.append(f"{path.relative_to(ROOT)} imports its sibling {target}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("part", ["_core", "cells", "graphs"])
def test_what_lies_below_adata_knows_no_anndata(part):
    for path in modules_of(part):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [getattr(node, name, None) for name in ("id", "arg", "module")]
            names += [alias.name for alias in getattr(node, "names", []) if isinstance(alias, ast.alias)]
            known = {"adata", "anndata", "AnnData", "scanpy"} & {str(n).split(".")[0] for n in names}
            assert not known, f"{path.relative_to(ROOT)}:{node.lineno} knows {known}"


def test_no_module_imports_private_names_of_another():
    wrong = [
        f"{path.relative_to(ROOT)} imports {alias.name}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cellgraph_clr.")
        for alias in node.names
        if alias.name.startswith("_")
    ]
    assert not wrong, "\n".join(wrong)


def test_modules_and_functions_of_these_have_names_of_their_own():
    paths = modules_of("adata", "datasets", "gr", "graphs", "io", "tl")
    named = {
        node.name: path
        for path in paths
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    stems = {path.stem for path in paths} | {"label_image"}
    assert not stems & set(named), [f"{named[n].relative_to(ROOT)}: {n}" for n in stems & set(named)]


def test_the_engine_knows_no_cells():
    known = {target for path in modules_of("training") for target in imports_of(path)}
    assert known == {"_core", "training"}


def test_networks_know_no_losses_and_losses_no_networks():
    assert {t for path in modules_of("encoders") for t in imports_of(path)} <= {"_core", "encoders"}
    assert {t for path in modules_of("losses") for t in imports_of(path)} == {"_core", "losses"}


ROOMS = sorted(path.parent.name for path in (PACKAGE / "models").glob("*/__init__.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_a_system_has_one_room(room):
    """It tells its paper, flow and equations, and imports no other room; classifiers alone stand on the cell graph's."""
    text = (PACKAGE / "models" / room / "__init__.py").read_text()
    assert all(f"\n{title}\n---" in text for title in ("Paper", "Flow", "Equations"))
    named = set(re.findall(r"`([a-z_]+(?:\.[A-Za-z_]+)+)", text))
    for name in named:
        pkgutil.resolve_name(name if name.startswith("cellgraph_clr") else _full(room, name))
    others = set()
    for path in modules_of(f"models/{room}"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cellgraph_clr.models."):
                others.add(node.module.split(".")[2])
    assert others <= {room} | ({"cell_graph"} if room == "classifiers" else set())


def _full(room, name):
    """Return the full name of what a docstring names from the package, or from its own room."""
    first = name.split(".")[0]
    inside = (PACKAGE / first).is_dir() or (PACKAGE / f"{first}.py").exists()
    return f"cellgraph_clr.{name}" if inside else f"cellgraph_clr.models.{room}.{name}"


def test_every_folder_is_in_a_layer():
    names = {p.name.removesuffix(".py") for p in PACKAGE.iterdir() if p.name not in ("__pycache__", "py.typed")}
    assert names <= set(RANK)


def loaded_after(code):
    script = f"import sys; {code}; print(' '.join(m for m in sys.modules))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(out.stdout.split())


def test_kernels_are_compiled_in_one_way_and_start_no_threads_of_numba():
    """Numba's own threads raise the number that torch may use, and every `prange` costs seconds at the first call."""
    own = PACKAGE / "_core" / "kernels.py"
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert not re.search(r"\bprange\b|parallel=True", text), path
        assert path == own or not re.search(r"import .*\b(njit|jit|vectorize|guvectorize)\b", text), path


def test_import_is_light():
    heavy = {"torch", "numba", "scanpy", "anndata", "pandas", "sklearn", "scipy", "matplotlib", "numpy"}
    assert not heavy & loaded_after("import cellgraph_clr")


@pytest.mark.parametrize(
    "part", ["cells.scan", "graphs.contact", "adata.reading", "analysis.scores", "analysis.interactions", "gr", "pp"]
)
def test_these_need_no_torch(part):
    assert "torch" not in loaded_after(f"import cellgraph_clr.{part}")


PUBLIC = [
    "read_labels",
    "from_labels",
    "from_table",
    "concat",
    "validate",
    "to_pyg",
    "from_pyg",
    "to_networkx",
    "to_spatialdata",
    "from_spatialdata",
    "to_napari",
    "to_vitessce",
    "io.read_mobie_table",
    "io.write_mobie_table",
    "im.label_qc",
    "gr.contact_graph",
    "gr.intersect_graphs",
    "gr.surface_distances",
    "gr.temporal_graph",
    "gr.temporal_matches",
    "gr.delaunay_graph",
    "gr.knn_graph",
    "gr.radius_graph",
    "gr.aggregate_neighbors",
    "pp.scale_features",
    "pp.split",
    "tl.embed",
    "tl.morpho_context",
    "tl.classify",
    "tl.transfer_labels",
    "tl.build_index",
    "tl.select_region",
    "models.CellGraphClassifier",
    "tl.retrieve",
    "tl.retrieve_regions",
    "tl.cluster",
    "tl.interactions",
    "pl.interactions",
    "models.CellGraphCLR",
    "models.SoftInfoNCEClassifier",
    "losses.InfoNCE",
    "losses.InfoNCEp",
    "losses.SoftInfoNCE",
    "losses.SupCon",
    "losses.functional.infonce_p",
    "losses.functional.soft_infonce",
    "pl.graph",
    "pl.retrieval",
    "pl.reliability",
    "datasets.platynereis",
    "datasets.celltype_graph",
    "im.extract_patches",
    "im.sample_surfaces",
    "models.CalibratedTrees",
    "models.MorphoFeatures",
    "pl.loss_weights",
    "pl.cell_gallery",
    "pl.feature_range",
    "metrics.bilateral_score",
    "read_movie",
    "read_plate",
    "models.DeepInfoMax",
    "tl.profile",
    "pl.window_gallery",
    "metrics.effect_sizes",
    "metrics.reproducibility",
    "metrics.assignments",
    "from_plate",
    "tl.profile_cells",
    "metrics.confusion",
    "Plate",
    "datasets.bbbc018",
    "from_movie",
    "Movie",
    "models.TimeArrow",
    "models.EventClassifier",
    "tl.time_arrow",
    "tl.detect_events",
    "datasets.event_movie",
    "metrics.event_scores",
    "tl.morpho_features",
    "datasets.tissue",
    "losses.NTXent",
    "losses.VICReg",
    "metrics.classification_scores",
    "metrics.average_precision",
]


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_exist_and_are_documented(name):
    value = cgc
    for part in name.split("."):
        value = getattr(value, part)
    assert value.__doc__
    assert name.split(".")[0] in dir(cgc)


@pytest.mark.parametrize(
    "command",
    [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)],
    ids=["lint", "format", "types"],
)
def test_style_and_types(command):
    out = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stdout + out.stderr


def test_every_function_of_the_face_checks_the_kinds_of_its_arguments():
    """`_core.arguments.checked` wraps all of gr, im, pl, pp, tl and metrics; plots look at where they save first."""
    import cellgraph_clr as cgc

    modules = [cgc.gr, cgc.im, cgc.pl, cgc.pp, cgc.tl, cgc.metrics]
    functions = {f"{m.__name__}.{n}": getattr(m, n) for m in modules for n in m.__all__}
    bare = [k for k, f in functions.items() if not isinstance(f, type) and not hasattr(f, "__wrapped__")]
    assert bare == []
    assert len(functions) > 40


def test_dir_of_every_subpackage_is_its_public_face():
    import cellgraph_clr as cgc

    modules = [getattr(cgc, name) for name in dir(cgc)]
    faces = [cgc, *(m for m in modules if hasattr(m, "__path__") or hasattr(m, "__all__")), cgc.losses.functional]
    faces += [getattr(cgc.models, name) for name in dir(cgc.models) if hasattr(getattr(cgc.models, name), "__path__")]
    assert len(faces) >= 17
    for face in faces:
        assert sorted(n for n in dir(face) if not n.startswith("__")) == sorted(face.__all__), face.__name__


def test_every_mutant_can_be_planted():
    """The text that a planted fault replaces stands once in its file, and the tests that are to fail exist."""
    from tests.mutants.run import mutants_of, parts, unplantable

    every = [mutant for part in parts() for mutant in mutants_of(part)]
    assert len(every) > 200
    assert unplantable(every) == []


def test_nothing_that_an_example_wrote_is_kept():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode != 0:
        pytest.skip("not a checkout")
    folders = {"cellgraph_clr", "tests", "notebooks", "benchmarks", "docs", "vendor", ".ci"}
    files = {"pyproject.toml", "Makefile", "constraints.txt", "LICENSE", "CITATION.cff", ".gitignore"}
    files |= {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", ".pre-commit-config.yaml", ".readthedocs.yaml"}
    assert {name.split("/")[0] for name in tracked.stdout.split("\0") if name} <= folders | files
