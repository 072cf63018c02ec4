"""Every message says what to do; what it says is tried here: names and options exist, and the calls work."""

import ast
import inspect
import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import typer
from anndata import AnnData

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import CellGraphError
from cellgraph_clr.cli.app import app
from cellgraph_clr.graphs.graph import CellGraph
from cellgraph_clr.losses import functional
from tests.documented import check_code, resolve

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cellgraph_clr"
NAMES = ("remedy", "hint", "maker")
FORWARDED = ("_core/checks.py", "_core/notices.py", "_core/arguments.py")  # hand the remedies of others on
PARTS = ("datasets", "gr", "im", "io", "losses", "metrics", "models", "pl", "pp", "tl")


# --- What the messages say ---


def texts(node, constants):
    """Return the strings an expression can be; what is only known when it runs stands in braces."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(texts(v, constants)[0] for v in node.values)]
    if isinstance(node, ast.FormattedValue):
        return texts(node.value, constants)
    if isinstance(node, ast.IfExp):
        return [*texts(node.body, constants), *texts(node.orelse, constants)]
    if isinstance(node, ast.BoolOp):
        return [t for v in node.values for t in texts(v, constants)]
    if isinstance(node, ast.Name) and node.id in constants:
        return texts(constants[node.id], {})
    return ["{" + ast.unparse(node) + "}"]


def constants_of(tree):
    """Return {name: expression} of what a module defines at its top."""
    made = [n for n in tree.body if isinstance(n, ast.Assign)]
    return {t.id: n.value for n in made for t in n.targets if isinstance(t, ast.Name)}


def assigned(tree, node):
    """Return what is assigned to a variable anywhere in a module; what is none stands for itself."""
    made = [n for n in ast.walk(tree) if isinstance(n, ast.Assign) and isinstance(node, ast.Name)]
    return [n.value for n in made if any(getattr(t, "id", "") == node.id for t in n.targets)] or [node]


def in_module(tree, constants):
    """Yield the remedies of a module: third arguments of `expected`, keywords and variables of that name, warnings."""
    for node in ast.walk(tree):
        found = []
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            found += node.args[2:3] if name == "expected" else []
            found += [v for a in node.args[:1] if name == "warn" for v in assigned(tree, a)]
            found += [k.value for k in node.keywords if k.arg in NAMES]
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in NAMES:
            found.append(node.value)
        elif (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Tuple)
            and isinstance(node.value, ast.Tuple)
        ):
            pairs = zip(node.targets[0].elts, node.value.elts, strict=True)
            found += [value for target, value in pairs if getattr(target, "id", "") in NAMES]
        for value in found:
            yield from texts(value, constants)


def remedies():
    """Return {(file, text)} of the package, in the order of files."""
    trees = {p.relative_to(PACKAGE).as_posix(): ast.parse(p.read_text()) for p in sorted(PACKAGE.rglob("*.py"))}
    shared = {name: value for tree in trees.values() for name, value in constants_of(tree).items()}  # may be imported
    for name in FORWARDED:
        del trees[name]
    found = {f: in_module(tree, shared | constants_of(tree)) for f, tree in trees.items()}
    return list(dict.fromkeys((file, text) for file, parts in found.items() for text in parts))


PIP = re.compile(r"pip install '([^']+)'")
TICKS = re.compile(r"`([^`]+)`")
BARE_CALL = re.compile(r"cgc(?:\.\w+)+(?:\([^`]*?\))?")
BARE_OPTION = re.compile(r"\b\w+=(?:'[^']*'|\"[^\"]*\")")


def snippets(text):
    """Return the pieces of code in a remedy."""
    plain = TICKS.sub(" ", text)
    return TICKS.findall(text) + PIP.findall(plain) + BARE_CALL.findall(plain) + BARE_OPTION.findall(plain)


ALL = remedies()
WITH_CODE = [pytest.param(text, id=f"{file}: {text}") for file, text in ALL if snippets(text)]


# --- What there is ---


def public_objects():
    """Return the public functions and classes, with the methods of the classes."""
    made = [resolve(f"cgc.{p}.{n}") for p in PARTS for n in dir(resolve(f"cgc.{p}")) if not n.startswith("_")]
    made += [getattr(cgc, n) for n in dir(cgc) if n not in PARTS and not n.startswith("_")]
    made += [m for n, m in vars(functional).items() if n in functional.__all__] + [CellGraph]
    made = [m for m in made if callable(m) and getattr(m, "__module__", "").startswith("cellgraph_clr")]
    methods = [getattr(m, n) for m in made if inspect.isclass(m) for n in dir(m) if not n.startswith("_")]
    return made + [m for m in methods if inspect.isroutine(m)]


def holders():
    """Return {name of an option: objects that take it}."""
    out = {}
    for made in public_objects():
        try:
            names = inspect.signature(made).parameters
        except (TypeError, ValueError):
            continue
        for name in names:
            out.setdefault(name, []).append(made)
    return out


TAKEN = holders()
PUBLIC = {m.__name__ for m in public_objects()}
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
OPTIONS = {
    o for c in typer.main.get_command(app).commands.values() for p in c.params for o in (*p.opts, *p.secondary_opts)
}
OTHERS = {  # of anndata, numpy, torch, Python and files
    "re": re,
    ".bool()": torch.Tensor.bool,
    ".float()": torch.Tensor.float,
    "torch.as_tensor": torch.as_tensor,
    "torch.no_grad()": torch.no_grad,
    "exclude & ~positives": np.bitwise_and,
    "_cp_masks.tif": "as Cellpose names it",
    "obs": AnnData.obs,
    "obsm": AnnData.obsm,
    "obs_names": AnnData.obs_names,
    "skimage.measure.label(mask)": "run below",
    "adata.to_memory()": AnnData.to_memory,
    "np.abs(image)": np.abs,
    "np.asarray(matrix)": np.asarray,
    "image.filled(0)": np.ma.MaskedArray.filled,
    "array.compute_chunk_sizes()": "of dask, run with the arrays that are given",
    "dask.array.ma.filled(array, 0)": "of dask, run with the arrays that are given",
}


def check_option(name, value):
    """Raise unless a public object takes this option, and knows this value (an expression)."""
    assert name in TAKEN, f"nothing takes `{name}=`"
    try:
        wanted = ast.literal_eval(value)
    except ValueError:  # a name
        return
    for one in wanted if isinstance(wanted, tuple) else (wanted,):
        sources = [inspect.getsource(m) for m in TAKEN[name]]
        known = not isinstance(one, str) or any(f'"{one}"' in s or f"'{one}'" in s for s in sources)
        assert known, f"nothing takes `{name}={one!r}`"


def check_snippet(code):
    """Raise unless what a piece of code names exists."""
    if code.startswith("cgc."):
        check_code(code.replace("…", "..."))
    elif re.match(rf"({'|'.join(PARTS)})\.\w", code):
        resolve(f"cgc.{code.split('(')[0]}")
    elif code.startswith("cellgraph-clr["):
        assert code.removeprefix("cellgraph-clr[").rstrip("]") in EXTRAS
    elif re.match(r"\w+=", code):
        options = re.sub(r"=$", "=...", code.replace("…", "..."))
        for keyword in ast.parse(f"f({options})", mode="eval").body.keywords:
            check_option(keyword.arg, keyword.value)
    elif code.startswith("--"):
        assert code.split()[0] in OPTIONS
    elif re.match(r"(adata\.)?(obs|obsm|uns|obsp|layers)\b.*\[", code):
        assert hasattr(AnnData, code.removeprefix("adata.").split("[")[0])
        compile(code, "remedy", "eval")
    elif code not in OTHERS and "{" not in code:
        name = re.sub(r"\[.*\]$", "", code).split(".")[-1]  # `image[[0, 2]]` is about an argument as well
        assert name in TAKEN or name in PUBLIC or hasattr(AnnData, name), f"there is no `{code}`"


@pytest.mark.parametrize("text", WITH_CODE)
def test_what_a_remedy_names_exists(text):
    for code in snippets(text):
        check_snippet(code)
    for option, function in re.findall(r"`(\w+)=` to `(cgc[\w.]+)`", text):
        assert option in inspect.signature(resolve(function)).parameters


def test_all_are_read():
    assert len(ALL) > 200
    assert len(WITH_CODE) > 60
    unread = [(f, t) for f, t in ALL if re.fullmatch(r"\{\w+\}", t) and t.strip("{}") not in NAMES]
    assert not unread, "remedies in a variable of another name"


# --- Calls on an AnnData: they run ---

GIVEN = {"max_gap": 1.0, "spacing": (0.5, 0.5), "radius": 20.0, "min_overlap": 0.5}
CALLS = sorted({c for _, t in ALL for c in snippets(t) if c.startswith("cgc.") and "(adata" in c})


@pytest.mark.parametrize("code", CALLS)
def test_calls_on_an_anndata_run(code, embedded, tissue_2d):
    tree = ast.parse(code.replace("…", "..."), mode="eval")
    for keyword in tree.body.keywords:
        if isinstance(keyword.value, ast.Constant) and keyword.value.value is ...:
            keyword.value = ast.parse(repr(GIVEN[keyword.arg]), mode="eval").body
    names = {"cgc": cgc, "adata": embedded, "labels": tissue_2d.image, "query": [int(embedded.obs["cell_id"].iloc[0])]}
    eval(compile(ast.fix_missing_locations(tree), "remedy", "eval"), names)


# --- Trouble, the message, and what it says ---

TRIED = set()


def tried(*fragments):
    """Note which remedies a test tries: those that hold one of these fragments."""
    TRIED.update(fragments)
    return lambda test: test


def fails(call, remedy, error=CellGraphError):
    with pytest.raises(error, match=re.escape(remedy)):
        call()


def test_those_tried_are_remedies():
    every = "\n".join(text for _, text in ALL)
    assert not [fragment for fragment in TRIED if fragment not in every]


@pytest.fixture
def measured(tissue_2d):
    """Cells with their contact graph, not scaled."""
    out = tissue_2d.adata()
    cgc.gr.contact_graph(out)
    return out


@tried("in `X`: `cgc.pp.scale_features(adata, impute='median')`", "Pass `impute='median'`")
def test_missing_values_in_x(measured):
    measured.X[3, 0] = np.nan
    calls = [
        lambda: cgc.gr.aggregate_neighbors(measured),
        lambda: cgc.tl.cluster(measured, use_rep="X", method="gmm", n_clusters=2),
        lambda: cgc.tl.embed(measured, n_steps=2, progress=False),
    ]
    for call in calls:
        fails(call, "`cgc.pp.scale_features(adata, impute='median')`")
    fails(lambda: cgc.pp.scale_features(measured), "Pass `impute='median'`")
    cgc.pp.scale_features(measured, impute="median")
    for call in calls:
        call()


@tried("Fill or drop them")
def test_missing_values_elsewhere(measured):
    measured.obsm["X_some"] = measured.obsm["spatial"].copy()
    measured.obsm["X_some"][3] = np.nan
    fails(lambda: cgc.tl.cluster(measured, use_rep="X_some", method="gmm", n_clusters=2), "Fill or drop them")
    kept = measured[np.isfinite(measured.obsm["X_some"]).all(axis=1)].copy()
    cgc.tl.cluster(kept, use_rep="X_some", method="gmm", n_clusters=2)
    measured.obsm["X_some"] = np.nan_to_num(measured.obsm["X_some"])
    cgc.tl.cluster(measured, use_rep="X_some", method="gmm", n_clusters=2)


@tried("pass `use_rep='X'`", "or pass `use_rep=`")
def test_missing_representation(measured):
    fails(lambda: cgc.tl.cluster(measured), "pass `use_rep='X'`")
    cgc.pp.scale_features(measured)
    cgc.tl.cluster(measured, use_rep="X", method="gmm", n_clusters=2)
    bare = AnnData(
        obs=measured.obs.drop(columns="gmm"),
        obsm={"X_some": np.asarray(measured.X), "spatial": measured.obsm["spatial"]},
    )
    fails(lambda: cgc.tl.cluster(bare, use_rep="X"), "pass `use_rep=`")
    cgc.tl.cluster(bare, use_rep="X_some", method="gmm", n_clusters=2, key_added="again")


@tried("Query by `obs_names`", "Look at `adata.obs_names`", "The nearest ids are", "Add what tells them apart: ")
def test_queries(embedded):
    fails(lambda: cgc.tl.retrieve(embedded, [10**6]), f"The nearest ids are {embedded.obs['cell_id'].max()}")
    fails(lambda: cgc.tl.retrieve(embedded, ["cell x"]), "Look at `adata.obs_names`")
    name, cell = embedded.obs_names[0], int(embedded.obs["cell_id"].iloc[0])
    both = cgc.concat({"a": embedded, "b": embedded.copy()})
    both.obsm["X_cellgraph"] = np.concatenate([embedded.obsm["X_cellgraph"]] * 2)
    fails(lambda: cgc.tl.retrieve(both, [cell]), '{"library_id": …, "cell_id": …}')
    cgc.tl.retrieve(both, {"library_id": "a", "cell_id": cell})
    del embedded.obs["cell_id"]
    fails(lambda: cgc.tl.retrieve(embedded, [cell]), "Query by `obs_names`")
    cgc.tl.retrieve(embedded, [name])


@tried("Pass `exclude_query=False`", "Select some cells")
def test_queries_of_all_and_of_none(embedded):
    every = np.ones(embedded.n_obs, bool)
    fails(lambda: cgc.tl.retrieve(embedded, every), "Pass `exclude_query=False`")
    cgc.tl.retrieve(embedded, every, exclude_query=False)
    fails(lambda: cgc.tl.retrieve(embedded, ~every), "Select some cells")


@tried("Split by 'block' or 'cell'", "Leave `label_key` out")
def test_splits(adata):
    fails(lambda: cgc.pp.split(adata, by="library"), "Split by 'block' or 'cell'")
    for by in ("block", "cell"):
        cgc.pp.split(adata, by=by)
    fails(lambda: cgc.pp.split(adata, by="block", label_key="true_type"), "Leave `label_key` out")
    cgc.pp.split(adata, by="cell", label_key="true_type")


@tried("Pass `isolates='keep'`", "`isolates='nearest'`")
def test_cells_without_neighbors(adata):
    fails(lambda: cgc.gr.radius_graph(adata, radius=1e-3, isolates="raise"), "Pass `isolates='keep'`")
    cgc.gr.radius_graph(adata, radius=1e-3, isolates="keep")
    cgc.gr.radius_graph(adata, radius=1e-3, isolates="nearest")
    assert (adata.obs["n_neighbors"] > 0).all()


@tried("Pass `duplicates='join'`", "Pass `degenerate='jitter'`, or use `gr.knn_graph`")
def test_positions_without_triangles(adata):
    adata.obsm["spatial"][1] = adata.obsm["spatial"][0]
    fails(lambda: cgc.gr.delaunay_graph(adata, duplicates="raise"), "Pass `duplicates='join'`")
    cgc.gr.delaunay_graph(adata, duplicates="join")
    adata.obsm["spatial"] = np.stack([np.arange(adata.n_obs), np.zeros(adata.n_obs)], axis=1).astype(float)
    fails(lambda: cgc.gr.delaunay_graph(adata), "Pass `degenerate='jitter'`, or use `gr.knn_graph`")
    cgc.gr.delaunay_graph(adata, degenerate="jitter")
    cgc.gr.knn_graph(adata)


@tried("Call `cgc.gr.contact_graph(adata, labels, max_gap=…)`", "Pass the label image: `labels=labels`")
@tried(
    "Pass the label image: `cgc.gr.contact_graph(adata, labels)`", "`cgc.LabelImage.build(labels, spacing=…, unit=…)`"
)
def test_graphs_that_need_the_labels(adata, tissue_2d):
    labels = tissue_2d.image
    fails(lambda: cgc.gr.contact_graph(adata, max_gap=1.0), "`cgc.gr.contact_graph(adata, labels, max_gap=…)`")
    cgc.gr.contact_graph(adata, labels, max_gap=1.0)
    fails(lambda: cgc.gr.radius_graph(adata, radius=5, distance="surface"), "`labels=labels`")
    cgc.gr.radius_graph(adata, radius=5, distance="surface", labels=labels)
    table = adata.obs[["cell_id"]].assign(x=adata.obsm["spatial"][:, 0], y=adata.obsm["spatial"][:, 1])
    cells = cgc.from_table(table, cell_id="cell_id", position=["x", "y"], unit="micrometer")
    fails(lambda: cgc.gr.contact_graph(cells), "`cgc.gr.contact_graph(adata, labels)`")
    cgc.gr.contact_graph(cells, labels)
    plain = np.asarray(labels.labels)
    fails(lambda: cgc.gr.contact_graph(cells, plain), "`cgc.LabelImage.build(labels, spacing=…, unit=…)`")
    cgc.gr.contact_graph(cells, cgc.LabelImage.build(plain, spacing=labels.spacing, unit=labels.unit))


@tried("Pass ({features},)", "Pass `image=`", "Use the perimeter of group 'shape'", "`skimage.measure.label(mask)`")
def test_measuring(tissue_2d):
    from skimage.measure import label

    plain, spacing = np.asarray(tissue_2d.image.labels), tissue_2d.image.spacing
    fails(lambda: cgc.from_labels(plain, spacing=spacing, features="hull"), "Pass ('hull',)")
    assert "solidity" in cgc.from_labels(plain, spacing=spacing, features=("hull",), n_jobs=1).var_names
    fails(lambda: cgc.from_labels(plain, spacing=spacing, features=("texture",)), "Pass `image=`")
    fails(lambda: cgc.from_labels(plain, spacing=spacing, features=("mesh",)), "Use the perimeter of group 'shape'")
    assert "perimeter" in cgc.from_labels(plain, spacing=spacing, features=("shape",)).var_names
    fails(lambda: cgc.from_labels(plain > 0, spacing=spacing), "`skimage.measure.label(mask)`")
    assert cgc.from_labels(label(plain > 0), spacing=spacing).n_obs > 0


def test_all_features_are_those_that_fit(tissue_2d, tissue_3d):
    def groups(image):
        return set(cgc.from_labels(image, features="all", n_jobs=1).var["group"])

    plain = cgc.LabelImage.build(np.asarray(tissue_2d.image.labels), spacing=tissue_2d.image.spacing)
    assert groups(plain) == {"shape"}
    small = cgc.LabelImage.build(tissue_3d.image.labels[:24, :24, :24], tissue_3d.image.image[:, :24, :24, :24])
    assert groups(small) == {"shape", "intensity", "texture", "mesh"}
    names = cgc.from_labels(small, features=["all"], n_jobs=1).var_names
    assert {"solidity", "thickness_max", "skeleton_length", "mesh_area"} <= set(names)
    fails(lambda: cgc.from_labels(plain, features="solidity"), "Choose one of them")


@tried('`cgc.from_labels(labels, nuclei=nuclei)` counts them in obs["n_nuclei"]')
def test_nuclei_are_counted(tissue_2d):
    labels = np.asarray(tissue_2d.image.labels)
    assert "n_nuclei" in cgc.from_labels(labels, nuclei=labels, spacing=(1, 1)).obs


@tried("Set `adata.obs['frame']`", "Set `adata.obsm['spatial']` to x, y(, z)")
def test_columns_to_set(adata):
    adata.obs["track"] = np.arange(adata.n_obs)
    fails(lambda: cgc.gr.temporal_graph(adata, tracks="track"), "Set `adata.obs['frame']`")
    adata.obs["frame"] = np.zeros(adata.n_obs, int)
    cgc.gr.temporal_graph(adata, tracks="track")
    xy = adata.obsm.pop("spatial")
    fails(lambda: cgc.gr.knn_graph(adata), "Set `adata.obsm['spatial']` to x, y(, z)")
    adata.obsm["spatial"] = xy
    cgc.gr.knn_graph(adata)


@tried("Pass ('mean',)", "`cgc.gr.contact_graph(adata)`, `cgc.gr.delaunay_graph(adata)` or `cgc.gr.knn_graph(adata)`")
@tried("Contact areas come from `cgc.gr.contact_graph(adata)`")
def test_aggregation(adata):
    fails(lambda: cgc.gr.aggregate_neighbors(adata, aggregations="mean"), "Pass ('mean',)")
    cgc.gr.aggregate_neighbors(adata, aggregations=("mean",))
    for key in list(adata.obsp):
        del adata.obsp[key]
    fails(lambda: cgc.gr.aggregate_neighbors(adata), "Call `cgc.gr.contact_graph(adata)`")
    cgc.gr.knn_graph(adata)
    cgc.gr.aggregate_neighbors(adata)
    fails(lambda: cgc.gr.aggregate_neighbors(adata, weights="contact_area"), "`cgc.gr.contact_graph(adata)`")
    cgc.gr.contact_graph(adata)
    cgc.gr.aggregate_neighbors(adata, weights="contact_area")


@tried("`place='inside'`")
def test_patches(tissue_2d):
    fails(lambda: cgc.im.extract_patches(tissue_2d.image, crop_px=8, n_patches=2), "`place='inside'`")
    cgc.im.extract_patches(tissue_2d.image, crop_px=8, n_patches=2, place="inside")


@tried("Call `cgc.tl.classify` first")
def test_calibration_needs_predictions(adata):
    known = np.arange(adata.n_obs) % 2 == 0
    adata.obs["some"] = np.where(known, adata.obs["true_type"].astype(str), "unassigned")
    fails(lambda: cgc.pl.reliability(adata, "true_type", "some_pred"), "Call `cgc.tl.classify` first")
    cgc.tl.classify(adata, "some", n_steps=2, calibrate=False)
    cgc.pl.reliability(adata, "true_type", "some_pred")


CONFIGS = [  # class, options refused, remedy, options that it names
    ("CellGraphCLRConfig", {"bound": "nce"}, "pass objective='infomax'", {"objective": "infomax"}),
    ("CellGraphCLRConfig", {"bound": "nce"}, "Leave `bound` out", {"bound": None}),
    ("CellGraphCLRConfig", {"objective": "infonce"}, "Pass `positives='views'`", {"positives": "views"}),
    ("CellGraphCLRConfig", {"objective": "infonce"}, "`n_positives=1`", {"n_positives": 1}),
    ("CellGraphCLRConfig", {"objective": "nt_xent"}, "Pass `positives='views'`", {"positives": "views"}),
    ("CellGraphCLRConfig", {"objective": "nt_xent"}, "'composite_infonce'", {"objective": "composite_infonce"}),
    ("CellGraphCLRConfig", {"positives": ()}, "Pass 'both'", {"positives": "both"}),
    (
        "CellGraphCLRConfig",
        {"positives": "views", "n_hops": 2},
        "add 'neighbors'",
        {"positives": ("views", "neighbors")},
    ),
    (
        "CellGraphCLRConfig",
        {"positives": "views", "n_hops": 2},
        "Leave `n_hops` and `positive_weights` out",
        {"n_hops": 1},
    ),
    ("MorphoFeaturesConfig", {"kinds": ()}, "Pass `kinds=('shape',)`", {"kinds": ("shape",)}),
    ("TimeArrowConfig", {"steps": ()}, "Pass `steps=(1,)`", {"steps": (1,)}),
    ("DeepInfoMaxConfig", {"foreground": "some"}, "Choose one of them", {"foreground": "all"}),
    ("DeepInfoMaxConfig", {"foreground": "some"}, "Choose one of them", {"foreground": "mixture"}),
]


@pytest.mark.parametrize(("name", "options", "remedy", "named"), CONFIGS, ids=lambda v: v if isinstance(v, str) else "")
def test_configurations(name, options, remedy, named):
    made = getattr(cgc.models, name)
    fails(lambda: made(**options), remedy)
    made(**(options | named))


tried(*(remedy for *_, remedy, _ in CONFIGS if remedy != "Choose one of them"))


@tried("Pass loss='soft_infonce'", "Divide each row by its sum", "Pass `mask_features` or `drop_edges` above 0")
def test_classifiers(rng):
    x, y = rng.normal(size=(40, 3)), np.repeat(["a", "b"], 20)
    targets = np.where(np.stack([y == "a", y == "b"], axis=1), 2.0, 1.0)
    made = cgc.models.SoftInfoNCEClassifier
    fails(lambda: made(loss="cross_entropy", n_steps=2).fit(x, y, targets=targets / 3), "Pass loss='soft_infonce'")
    fails(lambda: made(loss="soft_infonce", n_steps=2).fit(x, y, targets=targets), "Divide each row by its sum")
    made(loss="soft_infonce", n_steps=2).fit(x, y, targets=targets / targets.sum(axis=1, keepdims=True))
    base, still = cgc.models.CellGraphCLR(), {"mask_features": 0.0, "drop_edges": 0.0}
    made = cgc.models.CellGraphClassifier
    fails(lambda: made(base, consistency=1.0, **still), "Pass `mask_features` or `drop_edges` above 0")
    for name in still:
        made(base, consistency=1.0, **(still | {name: 0.1}))


@tried("Call `fit` or `load` first", "Pass `image=` or `kinds=('shape',)`")
def test_models(adata, tissue_2d, tmp_path):
    model = cgc.models.CellGraphCLR(n_steps=2, progress=False)
    fails(lambda: model.transform(adata), "Call `fit` or `load` first")
    model.fit(adata).save(tmp_path / "model.safetensors")
    cgc.models.CellGraphCLR.load(tmp_path / "model.safetensors").transform(adata)
    plain = cgc.LabelImage.build(np.asarray(tissue_2d.image.labels), spacing=tissue_2d.image.spacing)
    texture = cgc.models.MorphoFeatures(kinds=("coarse",), n_steps=2, progress=False)
    fails(lambda: texture.fit(plain), "Pass `image=` or `kinds=('shape',)`")
    cgc.models.MorphoFeatures(kinds=("shape",), n_steps=2, progress=False).fit(plain)


@tried("Convert it with `.bool()`", "`exclude & ~positives`", "Use `infonce_p` or `supcon_out` for several")
def test_losses():
    scores, positives = torch.randn(3, 4), torch.eye(3, 4)
    fails(lambda: functional.infonce_p(scores, positives), "Convert it with `.bool()`")
    mask = positives.bool()
    exclude = torch.ones_like(mask)
    exclude[:, 3] = False
    fails(lambda: functional.infonce_p(scores, mask, exclude), "`exclude & ~positives`")
    functional.infonce_p(scores, mask, exclude & ~mask)
    mask[:, 3] = True
    fails(lambda: functional.infonce(scores, mask), "Use `infonce_p` or `supcon_out`")
    functional.infonce_p(scores, mask)
    functional.supcon_out(scores, mask)


@tried("` of the sample column", "Name all", "Drop the cells without a position")
def test_tables(adata):
    fails(lambda: cgc.gr.knn_graph(adata, library_key="slide"), "Pass `library_key=` of the sample column")
    adata.obs["slide"] = np.where(np.arange(adata.n_obs) < 70, "a", "b")
    cgc.gr.knn_graph(adata, library_key="slide")
    kinds = adata.obs["true_type"].cat.categories
    few = {"n_steps": 2, "calibrate": False}
    fails(lambda: cgc.tl.classify(adata, "true_type", prior={kinds[0]: 1.0}, **few), "Name all")
    cgc.tl.classify(adata, "true_type", prior=dict.fromkeys(kinds, 1.0), **few)
    table = pd.DataFrame({"x": [0.0, np.nan], "y": [0.0, 1.0]})
    fails(
        lambda: cgc.from_table(table, cell_id=None, position=["x", "y"], unit="micrometer"),
        "Drop the cells without a position",
    )
    cgc.from_table(table.dropna(), cell_id=None, position=["x", "y"], unit="micrometer")
