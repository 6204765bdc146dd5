"""How the documentation is built: ``python -m sphinx -W -n --keep-going docs out/docs``, offline."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import microgradnd  # noqa: E402, F401 - fails early, and by name, where the package is not installed

project = "microgradnd"
author = "the microgradnd authors"
copyright = author
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "public_names",
]
html_math_renderer = "mathml"
html_theme = "furo"
html_title = "microgradnd"
html_theme_options = {"navigation_with_keys": True}
html_static_path = ["style.css"]
html_css_files = ["style.css"]
exclude_patterns = ["_build", "gallery/*.ipynb", "gallery/*.py", "gallery/*.zip", "images/*.md", "reference/_*"]
default_role = "code"

# A build needs no network. With INTERSPHINX=1 names of other projects become links to their documentation.
intersphinx_mapping = (
    {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }
    if os.environ.get("INTERSPHINX")
    else {}
)

autodoc_typehints = "none"  # numpydoc tells types where they are not plain
autodoc_member_order = "bysource"
autodoc_default_options = {
    "members": True,
    "undoc-members": False,
    # What scikit-learn adds to every estimator is told in its own documentation.
    "exclude-members": "set_fit_request, set_partial_fit_request, set_score_request, set_predict_request",
}
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
nitpick_ignore_regex = [("py:.*", ".*")] if not intersphinx_mapping else []

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "cache" if os.environ.get("DOCS_CACHE") else "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"(course|digits.*|search_on_a_cluster)\.py",
    "within_subsection_order": "FileNameSortKey",
    "capture_repr": ("_repr_html_",),
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "abort_on_example_error": True,
    "plot_gallery": "True",
    "min_reported_time": 5,
    "write_computation_times": False,
}
