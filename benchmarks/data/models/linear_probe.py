"""Linear probing before fine-tuning (Kumar et al., ICLR 2022): a new head starts from a fit on the frozen backbone."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autolora.adapters.targets import is_named
from autolora.problem import Batch, Example
from autolora.training.batches import IGNORED

PENALTY = 10.0
"""Weight of half the squared norm of the layer's matrix, beside the sum of the examples' losses."""
_BATCH = 64


def fit_head(
    model: nn.Module,
    examples: Sequence[Example],
    *,
    number: int,
    head: Sequence[str],
    collate: Callable[[Sequence[Example]], Batch],
    device: str = "cpu",
) -> None:
    """Fit the last linear layer of a new head, in place, on the features that the frozen model gives it.

    The fit is convex, so its result depends on the examples alone, and on random values only where the head has further
    new layers before its last one.

    Args:
        model: newly built, without adapters; its other weights, its mode and all random states stay as they are.
        examples: training examples with classes, scores (float) or one class per token as labels.
        number: of evenly spaced examples that are used; all of them if there are fewer.
        head: last names of the head's modules, as in `Problem`.
        collate: as in `Problem`.
        device: where the features are computed.

    Raises:
        ValueError: the head has no linear layer, or its last one has no bias.
    """
    layer = _last_linear(model, head)
    used = min(number, len(examples))
    spaced = [examples[index * len(examples) // used] for index in range(used)]
    features, labels = _features(model.to(device), layer, spaced, collate)
    weight, bias = _fit(features, labels, layer.out_features)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    model.cpu()


def _last_linear(model: nn.Module, head: Sequence[str]) -> nn.Linear:
    parents = [module for name, module in model.named_modules() if is_named(name, tuple(head))]
    layers = [layer for parent in parents for layer in parent.modules() if isinstance(layer, nn.Linear)]
    if not layers:
        raise ValueError(f"linear probing fits a head's last linear layer, but {', '.join(head) or 'no head'} has none")
    if layers[-1].bias is None:
        raise ValueError(
            "linear probing fits a weight and a bias, but this head has no bias, as that of a decoder, which reads every "
            "token: set run.linear_probe = 0"
        )
    return layers[-1]


@torch.no_grad()
def _features(
    model: nn.Module, layer: nn.Linear, examples: Sequence[Example], collate: Callable[[Sequence[Example]], Batch]
) -> tuple[Tensor, Tensor]:
    """What the layer reads and should predict: shapes (rows, features) and (rows,); a row is an example or a token."""
    device = layer.weight.device
    inputs: list[Tensor] = []
    labels: list[Tensor] = []
    seen = layer.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    mode = model.training
    model.eval()
    for start in range(0, len(examples), _BATCH):
        batch = collate(examples[start : start + _BATCH])
        model(**{name: value.to(device) for name, value in batch.items() if name != "labels"})
        counted = batch["labels"] != IGNORED
        labels.append(batch["labels"][counted])
        inputs[-1] = inputs[-1][counted.to(device)].cpu().double()
    model.train(mode)
    seen.remove()
    return torch.cat(inputs), torch.cat(labels)


def _fit(features: Tensor, labels: Tensor, outputs: int) -> tuple[Tensor, Tensor]:
    """Logistic regression on classes, ridge regression on scores: weight, shape (outputs, features), and bias (outputs,)."""
    weight = features.new_zeros(outputs, features.shape[1], requires_grad=True)
    bias = features.new_zeros(outputs, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = F.linear(features, weight, bias)
        data = (
            F.mse_loss(logits[:, 0], labels.to(logits.dtype))
            if labels.is_floating_point()
            else F.cross_entropy(logits, labels)
        )
        total = data + PENALTY / len(features) * weight.square().sum() / 2
        total.backward()  # type: ignore[no-untyped-call]
        return total

    with torch.enable_grad():
        optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()
