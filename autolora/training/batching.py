"""Batches of similar length, in an order that depends on the seed and the step alone."""

import random
from collections.abc import Sequence
from functools import lru_cache

_BATCHES_PER_POOL = 50
"""Lengths are sorted within pools of this many batches: little padding, and the order stays random."""


class BatchOrder:
    """Which examples make up the batch of any step; needs no state, so that a run can go on at any step.

    Every epoch is a fresh permutation. It is cut into pools, each pool is sorted by length and cut into batches,
    and the batches are shuffled. The last batch of an epoch may be smaller; no example is left out.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, *, seed: int, stream: str) -> None:
        """Args: lengths: tokens per example; stream: names the consumer, so that two draw different orders."""
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
        """Indices of the examples of step (0, 1, ...); epochs follow one another without end."""
        epoch, position = divmod(step, self.steps_per_epoch)
        return self._epoch(epoch)[position]

    def length(self, step: int) -> int:
        """Tokens that the batch of step is padded to where few lengths are wanted: 8, 16, ... 64, 80, ... 128, 160, ...

        Of two lengths the larger is by a quarter longer at most, from 32 on; none is longer than the longest example.
        """
        own = max(self._lengths[index] for index in self.batch(step))
        unit = 1 << max(3, (own - 1).bit_length() - 3)
        return min(-(-own // unit) * unit, self._longest)

    def typical(self, number: int) -> list[int]:
        """So many steps of the first epoch, whose batches have all lengths as often as the epoch has, in its order."""
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
