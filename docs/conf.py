"""How Sphinx makes the site of these pages: ``python -m sphinx -W docs build/site``, without network.

The pages are plain Markdown that any code host shows. What they do not say themselves is added while they are read:
pages of files outside this folder (README, CONTRIBUTING ...) and links between the two.
"""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))

import perfcore  # noqa: E402  # of this checkout, whether it is installed or not

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

project = "perfcore"
release = version = perfcore.__version__
html_title = "perfcore"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["site/theme"]
smartquotes = False  # "--on" is an option, not a dash
myst_heading_anchors = 4  # as code hosts make them, so that page.md#a-heading works in both places

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

html_math_renderer = "mathml"
html_theme = "perfcore"
html_theme_path = ["site/theme"]
html_sidebars = {"**": ["globaltoc.html", "searchbox.html"]}
html_copy_source = html_show_sourcelink = html_show_copyright = html_show_sphinx = False
html_domain_indices = False
html_show_search_summary = False  # it would fetch each page found, which browsers refuse to a site opened as files

# Files beside this folder that are pages of the site: a stub here says where each stands.
OUTSIDE = {
    "index": "README.md",
    "site/contributing": "CONTRIBUTING.md",
    "site/changelog": "CHANGELOG.md",
    "site/specs": "specs/README.md",
    "site/measurements": "specs/measurements/README.md",
}
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")


def relinked(text: str, origin: Path, docname: str) -> str:
    """Return Markdown with its links to files as they are from a page of the site.

    Parameters
    ----------
    text
        Markdown of ``origin``.
    origin
        The file whose links they are.
    docname
        The page that shows it.
    """
    stubs = {ROOT / path: DOCS / f"{name}.md" for name, path in OUTSIDE.items()}

    def moved(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(origin.parent / link[1]))
        if not target.exists():
            return link[0]  # of code, or broken: Sphinx says which
        target = stubs.get(target, target)
        return "](" + Path(os.path.relpath(target, (DOCS / docname).parent)).as_posix()

    return LINK.sub(moved, text)


def read(app: "Sphinx", docname: str, source: list[str]) -> None:
    """Put the text of a file outside in the place of its stub; the start page keeps its list of pages too."""
    if app.env.doc2path(docname).suffix != ".md":
        return
    here = relinked(source[0], DOCS / f"{docname}.md", docname)
    if docname in OUTSIDE:
        origin = ROOT / OUTSIDE[docname]
        app.env.note_dependency(origin)
        pages = here.partition("<!-- pages -->")[2]
        here = relinked(origin.read_text(encoding="utf-8"), origin, docname) + "\n" + pages
    source[0] = here


def mathml(writer: Any, node: "nodes.math") -> None:
    """Write a formula as MathML, which browsers draw by themselves; the ways of Sphinx load a script or need TeX."""
    from docutils import nodes
    from docutils.utils.math.latex2mathml import tex2mathml

    writer.body.append(tex2mathml(node.astext(), as_block=isinstance(node, nodes.math_block)))
    raise nodes.SkipNode


def references(app: "Sphinx", what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Make lists of the footnotes of numpy docstrings: each has its own [1], and a page holds many."""
    for place, line in enumerate(lines):
        lines[place] = re.sub(r"(\[\d+\])_", r"\1", line)
        if note := re.match(r"( *)\.\. (\[\d+\].*)", line):
            lines[place] = f"{note[1]}* {note[2]}"
            for after in range(place + 1, len(lines)):
                if not lines[after].strip() or lines[after].lstrip().startswith(".. "):
                    break
                lines[after] = f"{note[1]}  {lines[after].strip()}"


def setup(app: "Sphinx") -> dict[str, Any]:
    """Join Sphinx."""
    app.add_html_math_renderer("mathml", (mathml, None), (mathml, None))
    app.connect("source-read", read)
    app.connect("autodoc-process-docstring", references, priority=900)  # after napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
