"""The ops, by family. Each entry is forward, rules, formula and samples, side by side."""

from ..dispatch import register_ufuncs
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

register_ufuncs()
