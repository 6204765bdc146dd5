"""Networks on the engine's public interface."""

from .layers import *
from .losses import *
from .optim import *
