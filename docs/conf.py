"""Sphinx configuration: `make docs`. Nothing needs the network, and nothing is executed while building but one live report."""

import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))

from docutils.nodes import SkipNode  # noqa: E402
from docutils.utils.math.latex2mathml import tex2mathml  # noqa: E402
from sphinx.util.nodes import make_refnode  # noqa: E402

import cellgraph_clr  # noqa: E402

project = "cellgraph_clr"
author = "The cellgraph_clr developers"
copyright = "The cellgraph_clr developers"
version = release = cellgraph_clr.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "Thumbs.db", ".DS_Store"]
default_role = "py:obj"  # single backticks in docstrings

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "amsmath", "fieldlist"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # the outputs are those that the notebooks hold

autosummary_generate = True
autodoc_typehints = "none"  # types are in the docstrings
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = False

# Links into other libraries are fetched only where someone asks for them, so that the build is the same without a network.
intersphinx_mapping = (
    {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "anndata": ("https://anndata.readthedocs.io/en/stable", None),
        "scanpy": ("https://scanpy.readthedocs.io/en/stable", None),
        "squidpy": ("https://squidpy.readthedocs.io/en/stable", None),
        "torch": ("https://pytorch.org/docs/stable", None),
    }
    if os.environ.get("DOCS_INTERSPHINX") == "1"
    else {}
)
intersphinx_timeout = 10

html_math_renderer = "mathml"  # made while building: formulas need no script and no network
html_theme = "sphinx_book_theme"
html_title = "cellgraph_clr"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "show_toc_level": 2,
    "home_page_in_toc": True,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "navigation_with_keys": False,
    "logo": {"text": "cellgraph_clr"},
    "navbar_persistent": [],
}
html_sidebars = {"**": ["navbar-logo.html", "search-button-field.html", "sbt-sidebar-nav.html"]}
html_show_sourcelink = False
html_copy_source = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

SUBPACKAGES = ("datasets", "gr", "im", "io", "losses", "metrics", "models", "pl", "pp", "tl")


def bring_files(app):
    """Copy the notebooks beside the pages that list them."""
    target = DOCS / "tutorials"
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        place = target / notebook.name
        if not place.exists() or place.read_bytes() != notebook.read_bytes():
            shutil.copyfile(notebook, place)


def make_live_report(app):
    """Write the report that a page embeds, where pages are written and it is missing or older than what makes it."""
    target = DOCS / "_static" / "colon_report.html"
    sources = [DOCS / "howto" / "report.md", *(ROOT / "cellgraph_clr" / "_report").rglob("*.*")]
    if app.builder.format != "html":
        return
    if not target.exists() or target.stat().st_mtime < max(p.stat().st_mtime for p in sources):
        subprocess.run([sys.executable, DOCS / "make_report.py", target], check=True)


def find_short_name(app, env, node, contnode):
    """Resolve names as they are typed, `cgc.tl.embed` or `tl.embed`, to the pages of the reference."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py":
        return None
    name = re.sub(r"\(.*", "", target).removeprefix("cgc.").removeprefix("cellgraph_clr.")
    candidates = [f"cellgraph_clr.{name}"]
    if "." not in name:
        candidates += [f"cellgraph_clr.{part}.{name}" for part in SUBPACKAGES]
    objects = env.get_domain("py").objects
    for candidate in candidates:
        if candidate in objects:
            entry = objects[candidate]
            return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode, candidate)
    return None


def names_are_complete(app):
    """Refuse a build whose reference leaves out a public name."""
    listed = set()
    for page in (DOCS / "reference").glob("*.md"):
        for block in page.read_text().split(".. currentmodule:: ")[1:]:
            module, _, rest = block.partition("\n")
            listed |= {f"{module}.{name}" for name in re.findall(r"^   (\w+)$", rest.split("```")[0], re.M)}
    missing = []
    for part in ("cellgraph_clr", *(f"cellgraph_clr.{p}" for p in (*SUBPACKAGES, "losses.functional"))):
        module = import_module(part)
        for name in module.__all__:
            value = getattr(module, name)
            places = {f"{part}.{name}", f"cellgraph_clr.io.{name}"}
            if callable(value) and not places & listed:
                missing.append(f"{part}.{name}")
    if missing:
        raise RuntimeError(f"The reference leaves out {sorted(missing)}.")


def inline_formula(self, node):
    """Write a formula of a line as MathML."""
    self.body.append(mathml(node, as_block=False))
    raise SkipNode


def block_formula(self, node):
    """Write a formula of its own as MathML."""
    self.body.append(f'<div class="formula">{mathml(node, as_block=True)}</div>')
    raise SkipNode


def mathml(node, *, as_block):
    """Return the MathML of a formula in TeX. Raises `docutils.utils.math.MathError` for what it cannot set."""
    return tex2mathml(node.astext().strip(), as_block=as_block)


def setup(app):
    """Connect what is made on the fly."""
    app.add_html_math_renderer("mathml", (inline_formula, None), (block_formula, None))
    app.connect("builder-inited", bring_files)
    app.connect("builder-inited", names_are_complete)
    app.connect("builder-inited", make_live_report)
    app.connect("missing-reference", find_short_name)
