"""BLEU and NIST as E2E's official script computes them (`measure_scores.py -p` of tuetschek/e2e-metrics).

Tokens are those of mteval-v13a, lower-cased. Three points differ from other implementations, and affect the official
numbers: a hypothesis with fewer than n - 1 tokens reduces the total number of n-grams instead of not counting; an empty
hypothesis counts as one empty token; NIST estimates n-gram information from all references of the evaluated corpus.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

Tokens = Sequence[str]
NGram = tuple[str, ...]

BLEU_ORDER, NIST_ORDER = 4, 5
LEAST_MATCHES, LEAST_TOTAL = 1e-15, 1e-9
"""Lower bounds that replace zero matches and a zero total of n-grams."""
HALF_AT = 1.5
"""Ratio of reference length to hypothesis length at which NIST's length penalty is 0.5."""


def tokenize(text: str) -> Tokens:
    """Tokenise as mteval-v13a, lower-cased; an empty text gives one empty token."""
    tokens: str = Tokenizer13a()(text.lower())  # type: ignore[no-untyped-call]
    return tokens.split(" ")


@dataclass(frozen=True, kw_only=True)
class _Item:
    hypothesis: Tokens
    references: Sequence[Tokens]


def bleu(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Corpus BLEU, from 0 to 1, with n-grams up to 4 and the closest reference length (the shorter one on ties).

    Args:
        hypotheses: raw texts.
        references: one or more raw texts per hypothesis.
    """
    items = _items(hypotheses, references)
    length = sum(len(item.hypothesis) for item in items)
    closest = sum(_closest_length(item) for item in items)
    penalty = math.exp(min(0.0, 1 - closest / length))
    logs = [_log_precision(items, order) for order in range(1, BLEU_ORDER + 1)]
    return penalty * math.exp(sum(logs) / BLEU_ORDER)


def nist(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Corpus NIST: n-grams up to 5, weighted by information, and the mean reference length. Arguments as for `bleu`."""
    items = _items(hypotheses, references)
    counts: Counter[NGram] = Counter()
    for item in items:
        for reference in item.references:
            for order in range(1, NIST_ORDER + 1):
                counts.update(_ngrams(reference, order))
    words = sum(len(reference) for item in items for reference in item.references)

    def information(ngram: NGram) -> float:
        return math.log2((counts[ngram[:-1]] if ngram[1:] else words) / counts[ngram])

    total = 0.0
    for order in range(1, NIST_ORDER + 1):
        matched = sum(number * information(ngram) for item in items for ngram, number in _matches(item, order).items())
        total += matched / max(_total(items, order), LEAST_TOTAL)
    length = sum(len(item.hypothesis) for item in items)
    mean_length = sum(sum(map(len, item.references)) / len(item.references) for item in items)
    return total * _nist_penalty(length / mean_length)


def _items(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> list[_Item]:
    return [
        _Item(hypothesis=tokenize(hypothesis), references=[tokenize(reference) for reference in group])
        for hypothesis, group in zip(hypotheses, references, strict=True)
    ]


def _closest_length(item: _Item) -> int:
    lengths = [len(reference) for reference in item.references]
    return min(lengths, key=lambda length: (abs(length - len(item.hypothesis)), length))


def _log_precision(items: Iterable[_Item], order: int) -> float:
    items = list(items)
    matched = sum(sum(_matches(item, order).values()) for item in items)
    return math.log(max(matched, LEAST_MATCHES) / max(_total(items, order), LEAST_TOTAL))


def _total(items: Iterable[_Item], order: int) -> int:
    """Number of n-grams of all hypotheses; a hypothesis with fewer than `order - 1` tokens counts negatively."""
    return sum(len(item.hypothesis) - order + 1 for item in items)


def _matches(item: _Item, order: int) -> Counter[NGram]:
    """N-grams of the hypothesis, with counts clipped to the maximum count in a reference."""
    highest: Counter[NGram] = Counter()
    for reference in item.references:
        highest |= _ngrams(reference, order)
    return _ngrams(item.hypothesis, order) & highest


def _ngrams(tokens: Tokens, order: int) -> Counter[NGram]:
    return Counter(tuple(tokens[start : start + order]) for start in range(len(tokens) - order + 1))


def _nist_penalty(ratio: float) -> float:
    """Length penalty: 1 for a ratio of hypothesis to reference length of at least 1, less for a smaller ratio."""
    if not 0 < ratio < 1:
        return float(ratio >= 1)
    return math.exp(math.log(0.5) * (math.log(ratio) / math.log(HALF_AT)) ** 2)
