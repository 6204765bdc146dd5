"""Networks on the engine's public interface: layers, activations, losses, optimisers and training.

A network is a `Module`: a tree of parts whose parameters are found by looking at its attributes. Each
layer is a short composition of ops, so backpropagation through it needs no further code.
"""

import importlib as _importlib
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING

from . import init as init
from .activations import elu as elu
from .activations import gelu as gelu
from .activations import gelu_tanh as gelu_tanh
from .activations import hard_tanh as hard_tanh
from .activations import leaky_relu as leaky_relu
from .activations import log_softmax as log_softmax
from .activations import normalize as normalize
from .activations import relu as relu
from .activations import selu as selu
from .activations import sigmoid as sigmoid
from .activations import silu as silu
from .activations import soft_sign as soft_sign
from .activations import softmax as softmax
from .activations import softplus as softplus
from .activations import tanh as tanh
from .archive import register as register
from .attention import MultiHeadAttention as MultiHeadAttention
from .callbacks import Callback as Callback
from .callbacks import EarlyStopping as EarlyStopping
from .conv import AvgPool2d as AvgPool2d
from .conv import Conv2d as Conv2d
from .conv import MaxPool2d as MaxPool2d
from .evaluation import evaluate as evaluate
from .evaluation import predict as predict
from .frames import GraphFrames as GraphFrames
from .functional import functional_call as functional_call
from .gradcheck import gradcheck as gradcheck
from .history import History as History
from .layers import MLP as MLP
from .layers import Dense as Dense
from .layers import Dropout as Dropout
from .layers import Embedding as Embedding
from .layers import Flatten as Flatten
from .layers import Residual as Residual
from .layers import Sequential as Sequential
from .losses import binary_cross_entropy as binary_cross_entropy
from .losses import cross_entropy as cross_entropy
from .losses import hinge_loss as hinge_loss
from .losses import huber_loss as huber_loss
from .losses import kl_divergence as kl_divergence
from .losses import mae_loss as mae_loss
from .losses import mse_loss as mse_loss
from .losses import nll_loss as nll_loss
from .module import Module as Module
from .module import did_you_mean as _did_you_mean
from .norm import BatchNorm as BatchNorm
from .norm import LayerNorm as LayerNorm
from .optim import SGD as SGD
from .optim import Adam as Adam
from .optim import AdamW as AdamW
from .optim import Optimizer as Optimizer
from .optim import RMSprop as RMSprop
from .optim import clip_grad_norm as clip_grad_norm
from .optim import clip_grad_value as clip_grad_value
from .recurrent import GRU as GRU
from .saving import load as load
from .saving import save as save
from .schedules import Cosine as Cosine
from .schedules import Exponential as Exponential
from .schedules import OneCycle as OneCycle
from .schedules import ReduceOnPlateau as ReduceOnPlateau
from .schedules import Schedule as Schedule
from .schedules import StepDecay as StepDecay
from .schedules import WarmUp as WarmUp
from .summary import summary as summary
from .training import Training as Training
from .training import fit as fit

if TYPE_CHECKING:
    from . import plots as plots
    from .estimators import MLPClassifier as MLPClassifier
    from .estimators import MLPRegressor as MLPRegressor


def __getattr__(name: str) -> object:
    """The estimators, imported when asked for: they need scikit-learn, which a network doesn't. And the plots."""
    if name in ("MLPClassifier", "MLPRegressor"):
        from . import estimators

        return getattr(estimators, name)
    if name == "plots":
        return _importlib.import_module(f"{__name__}.plots")
    known = [k for k, v in globals().items() if not (k.startswith("_") or isinstance(v, _ModuleType))]
    hint = "" if name.startswith("_") else _did_you_mean(name, known)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
