"""Copies of a model that share its frozen weights, so that a search holds them once."""

import copy
from collections.abc import Sequence

from torch import nn

from autolora.adapters.layers import head_parameters


def sharing_copy(model: nn.Module, trained: Sequence[str]) -> nn.Module:
    """A copy of a model whose weights have the same storage as the model's, except those that are going to be trained.

    What happens to the copy's modules, its types and its `requires_grad` leaves the model as it is; only writing into a
    shared weight would change it. Quantised weights are copied, since their modules write into them.

    Args:
        model: without adapters.
        trained: names of the modules that are trained in full, as in `Problem.head`.
    """
    own = set(head_parameters(model, trained))
    shared = [weight for weight in model.parameters() if type(weight) is nn.Parameter and weight not in own]
    memo = {id(weight): nn.Parameter(weight.detach(), requires_grad=weight.requires_grad) for weight in shared}
    return copy.deepcopy(model, memo)
