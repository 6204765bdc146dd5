"""The ops, by family. Each entry is forward, rules, formula and samples, side by side.

In the docstrings, ``g`` is the cotangent of the result ``y``, and *gradient* what of it an argument gets: the rule
that the function adds to what NumPy's page of the same name tells.
"""

from types import ModuleType as _Module
from typing import TYPE_CHECKING

from ..dispatch import register_ufuncs as _register_ufuncs
from . import linalg as linalg
from . import slopes as slopes
from .applying import *
from .arithmetic import *
from .cumulative import *
from .diagonals import *
from .einsum import *
from .elementwise import *
from .indexing import *
from .joining import *
from .polynomials import *
from .products import *
from .reductions import *
from .shape import *
from .sorting import *
from .special import *
from .statistics import *
from .trigonometry import *
from .windows import *

_register_ufuncs()

if not TYPE_CHECKING:  # the functions alone: mg.shape or mg.special, a module, would be taken for one of them
    _hidden = {"TYPE_CHECKING"} | {name for name, thing in globals().items() if isinstance(thing, _Module)} - {"linalg"}
    __all__ = [name for name in globals() if not name.startswith("_") and name not in _hidden]
