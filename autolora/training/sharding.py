"""Frozen weights split over a team, for models that do not fit into one device (FSDP2, `torch.distributed.fsdp`).

Each member holds its part of every frozen weight; a block's are put together when it is computed, and let go again.
What is trained (updates, selection logits, head) stays whole everywhere: it is small, and summed as it always is.
"""

from itertools import chain

import torch
from torch import nn

from autolora.compute.runtime import Runtime


def shard_frozen(model: nn.Module, runtime: Runtime) -> None:
    """Split the frozen weights of a model over the runtime's team, in place, and move what is left to its device.

    Every forward pass is then one of all members together, evaluation too. A second derivative is none: the weights that
    it would need have been let go.

    Args:
        model: on the CPU, or wherever a whole one finds room.
        runtime: its team and device.

    Raises:
        ValueError: every weight is trained, so that there is nothing to split.
    """
    from torch.distributed.device_mesh import init_device_mesh  # noqa: PLC0415  slow to load, and seldom needed
    from torch.distributed.fsdp import fully_shard  # noqa: PLC0415

    trained = {weight for weight in model.parameters() if weight.requires_grad}
    if all(weight in trained for weight in model.parameters()):
        raise ValueError("every weight is trained: there are no frozen weights to split over processes")
    mesh = init_device_mesh(torch.device(runtime.device).type, (runtime.team.size,))
    blocks = {name for module in model.modules() for name in getattr(module, "_no_split_modules", None) or ()}
    inner = [module for module in model.modules() if type(module).__name__ in blocks and module is not model]
    for module in chain(inner, [model]):
        fully_shard(module, mesh=mesh, ignored_params=trained)
    model.to(runtime.device)
