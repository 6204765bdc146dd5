"""microgradnd: automatic differentiation of plain NumPy code, small enough to read."""

from . import pickling as pickling
from .checkpoint import checkpoint as checkpoint
from .context import Scope
from .context import no_grad as no_grad
from .core import OPS as OPS
from .core import Op as Op
from .core import Sample as Sample
from .core import sample as sample
from .debug import debug as debug
from .dispatch import implements as implements
from .draw.entry import draw as draw
from .draw.entry import explain as explain
from .gradcheck import GradcheckError as GradcheckError
from .gradcheck import gradcheck as gradcheck
from .gradients import gradients as gradients
from .ops import *
from .replay import Replay as Replay
from .tensor import Tensor as Tensor
from .tensor import astensor as astensor
from .tensor import tensor as tensor
from .transforms import grad as grad
from .transforms import hessian as hessian
from .transforms import hvp as hvp
from .transforms import jacobian as jacobian
from .transforms import jvp as jvp
from .transforms import value_and_grad as value_and_grad
from .transforms import vjp as vjp

# Called like functions, so named like functions: mg.op(...), with mg.scope(...).
op = Op
scope = Scope
