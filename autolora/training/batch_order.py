"""The order of batches, of examples of similar length; it depends on the seed and the step alone."""

import random
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from autolora.problem import Example

_BATCHES_PER_POOL = 50
"""Examples are sorted by length within pools of this many batches: little padding, and the order stays random."""
LABELS = ("labels", "label", "label_ids")


class BatchOrder:
    """Which examples make up the batch of each step; stateless, so that a run can resume at any step.

    Every epoch is a fresh permutation. It is cut into pools, each pool is sorted by length and cut into batches,
    and the batches are shuffled. The last batch of an epoch may be smaller; no example is left out.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, *, seed: int, stream: str) -> None:
        """Set up the order.

        Args:
            lengths: number of tokens of each example.
            batch_size: examples per batch.
            seed: the random seed.
            stream: name of the stream of batches; streams of the same seed have different orders.

        Raises:
            ValueError: there are no examples, or batch_size is less than 1.
        """
        if not lengths:
            raise ValueError(f"there are no examples to draw {stream!r} batches from")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1; got {batch_size}")
        self.steps_per_epoch = -(-len(lengths) // batch_size)
        self._lengths = lengths
        self._longest = max(lengths)
        self._batch_size = batch_size
        self._seed = f"{stream}/{seed}"
        self._epoch = lru_cache(maxsize=2)(self._draw_epoch)

    def batch(self, step: int) -> list[int]:
        """Indices of the examples in the batch of a step (0, 1, ...); epochs follow one another without end."""
        epoch, position = divmod(step, self.steps_per_epoch)
        return self._epoch(epoch)[position]

    def length(self, step: int) -> int:
        """Number of tokens to pad the batch of a step to, so that few lengths occur: 8, 16, ... 64, 80, ... 128, 160, ...

        From 32 tokens on, each of these lengths is at most a quarter longer than the one before; none is longer than
        the longest example.
        """
        tokens = max(self._lengths[index] for index in self.batch(step))
        unit = 1 << max(3, (tokens - 1).bit_length() - 3)
        return min(-(-tokens // unit) * unit, self._longest)

    def typical(self, number: int) -> list[int]:
        """Up to `number` steps of the first epoch, in ascending order, whose batches represent its batch lengths."""
        by_tokens = sorted(range(self.steps_per_epoch), key=lambda step: self._padded_tokens(self.batch(step)))
        number = min(number, len(by_tokens))
        middles = [(2 * part + 1) * len(by_tokens) // (2 * number) for part in range(number)]
        return sorted(by_tokens[position] for position in middles)

    def _padded_tokens(self, indices: Sequence[int]) -> int:
        return len(indices) * max(self._lengths[index] for index in indices)

    def _draw_epoch(self, epoch: int) -> list[list[int]]:
        rng = random.Random(f"{self._seed}/{epoch}")
        order = list(range(len(self._lengths)))
        rng.shuffle(order)
        pool = self._batch_size * _BATCHES_PER_POOL
        batches = []
        for start in range(0, len(order), pool):
            by_length = sorted(order[start : start + pool], key=self._lengths.__getitem__)
            batches += [by_length[i : i + self._batch_size] for i in range(0, len(by_length), self._batch_size)]
        rng.shuffle(batches)
        return batches


def batch_order(examples: Sequence[Example], batch_size: int, *, seed: int, stream: str) -> BatchOrder:
    """The order of batches over examples, by their length."""
    return BatchOrder([length_of(example) for example in examples], batch_size, seed=seed, stream=stream)


def length_of(example: Example) -> int:
    """Number of tokens of `input_ids`; without these, length of the first sequence that is neither labels nor a text.

    1 for an example without a sequence, so that all of its kind have the same length.
    """
    if "input_ids" in example:
        return len(example["input_ids"])
    inputs = (value for name, value in example.items() if name not in LABELS and not isinstance(value, str | Mapping))
    return next((len(value) for value in inputs if _is_sequence(value)), 1)


def _is_sequence(value: Any) -> bool:
    """Whether a value has a first dimension; a tensor or array without dimensions has none."""
    return hasattr(value, "__len__") and getattr(value, "ndim", 1) > 0
