"""BLEU and NIST as E2E's official script counts them (`measure_scores.py -p` of tuetschek/e2e-metrics).

Tokens are those of mteval-v13a, lower-cased. Three points differ from other implementations, and are part of the
official numbers: a hypothesis with fewer than n tokens makes the total of n-grams smaller instead of leaving it; an
empty hypothesis counts as one empty token; NIST takes its information from the references at hand, all of them.
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
"""What stands in for no match, and for no n-gram."""
HALF_AT = 1.5
"""NIST's length penalty is 0.5 where the references are so many times as long as the hypotheses."""


def tokenize(text: str) -> Tokens:
    """Tokens of mteval-v13a, lower-cased; one empty token for an empty text."""
    tokens: str = Tokenizer13a()(text.lower())  # type: ignore[no-untyped-call]
    return tokens.split(" ")


@dataclass(frozen=True, kw_only=True)
class _Item:
    hypothesis: Tokens
    references: Sequence[Tokens]


def bleu(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Corpus BLEU, from 0 to 1: 4-grams, the closest reference length, the shorter one on ties.

    Args:
        hypotheses: raw texts.
        references: one or more raw texts for each of them.
    """
    items = _items(hypotheses, references)
    length = sum(len(item.hypothesis) for item in items)
    closest = sum(_closest_length(item) for item in items)
    penalty = math.exp(min(0.0, 1 - closest / length))
    logs = [_log_precision(items, order) for order in range(1, BLEU_ORDER + 1)]
    return penalty * math.exp(sum(logs) / BLEU_ORDER)


def nist(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Corpus NIST: 5-grams weighted by their information, the references' mean length. Arguments as for `bleu`."""
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
    """N-grams of all hypotheses; one with fewer than `order` tokens takes some off."""
    return sum(len(item.hypothesis) - order + 1 for item in items)


def _matches(item: _Item, order: int) -> Counter[NGram]:
    """The hypothesis's n-grams, each at most as often as in the reference that has it most often."""
    known: Counter[NGram] = Counter()
    for reference in item.references:
        known |= _ngrams(reference, order)
    return _ngrams(item.hypothesis, order) & known


def _ngrams(tokens: Tokens, order: int) -> Counter[NGram]:
    return Counter(tuple(tokens[start : start + order]) for start in range(len(tokens) - order + 1))


def _nist_penalty(ratio: float) -> float:
    """1 for hypotheses that are long enough, less for shorter ones."""
    if not 0 < ratio < 1:
        return float(ratio >= 1)
    return math.exp(math.log(0.5) * (math.log(ratio) / math.log(HALF_AT)) ** 2)
