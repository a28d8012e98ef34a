"""Metrics of generated texts that agree with the official scripts of E2E and WebNLG, on the paper's scales."""

import re
from collections.abc import Sequence
from functools import lru_cache
from statistics import mean

from nltk.tokenize import NLTKWordTokenizer
from pyter import ter
from sacrebleu.metrics.bleu import BLEU

from benchmarks.tasks.metrics import mteval
from benchmarks.tasks.metrics.java import meteor, missing, ptb_tokenize

WEBNLG_REFERENCES = 6
"""Number of references per input that the official script uses; missing ones are filled with the first."""


def e2e_scores(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """E2E's five metrics: BLEU, METEOR and ROUGE-L times 100, NIST and CIDEr unscaled.

    Args:
        hypotheses: one raw text per input.
        references: one or more raw texts per input.

    Returns:
        "bleu", "nist", and, if Java and pycocoevalcap are installed, "meteor", "rouge_l" and "cider".
    """
    metrics = {"bleu": 100 * mteval.bleu(hypotheses, references), "nist": mteval.nist(hypotheses, references)}
    if missing():
        return metrics
    from pycocoevalcap.cider.cider import Cider  # noqa: PLC0415  an optional dependency
    from pycocoevalcap.rouge.rouge import Rouge  # noqa: PLC0415

    tokens = iter(ptb_tokenize([*hypotheses, *(reference for group in references for reference in group)]))
    predictions = {index: [next(tokens)] for index in range(len(hypotheses))}
    targets = {index: [next(tokens) for _ in group] for index, group in enumerate(references)}
    with meteor() as process:
        corpus, _ = process.score([text for (text,) in predictions.values()], [*targets.values()])
    return metrics | {
        "meteor": 100 * corpus,
        "rouge_l": 100 * float(Rouge().compute_score(targets, predictions)[0]),
        "cider": float(Cider().compute_score(targets, predictions)[0]),
    }


def webnlg_scores(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """WebNLG's three metrics: BLEU and METEOR times 100, and TER, which is at least 0 and better if lower.

    Args: as `e2e_scores`.

    Returns:
        "bleu", "ter", and, if Java and pycocoevalcap are installed, "meteor".
    """
    predictions = [webnlg_text(text) for text in hypotheses]
    targets = [_filled_up([webnlg_text(text) for text in group]) for group in references]
    columns = [[group[index] for group in targets] for index in range(WEBNLG_REFERENCES)]
    bleu = BLEU(tokenize="13a", lowercase=False).corpus_score(predictions, columns).score
    prediction_words, target_words = _words(predictions), [_words(group) for group in targets]
    rates = [
        _ter(text, tuple(dict.fromkeys(group))) for text, group in zip(prediction_words, target_words, strict=True)
    ]
    metrics = {"bleu": float(bleu), "ter": mean(rates)}
    if missing():
        return metrics
    with meteor() as process:
        corpus, _ = process.score(prediction_words, target_words)
    return metrics | {"meteor": 100 * corpus}


def webnlg_text(text: str) -> str:
    """Lower-case a text, and put spaces around every character that is not part of a word."""
    return " ".join(" ".join(re.split(r"(\W)", text.lower())).split())


def _filled_up(references: Sequence[str]) -> list[str]:
    first = list(references[:WEBNLG_REFERENCES])
    return first + first[:1] * (WEBNLG_REFERENCES - len(first))


def _words(texts: Sequence[str]) -> list[str]:
    """NLTK's word tokens, joined by spaces."""
    return [" ".join(NLTKWordTokenizer().tokenize(text)) for text in texts]


@lru_cache(maxsize=10_000)  # the slowest metric; the parts of a split are scored a second time
def _ter(text: str, references: tuple[str, ...]) -> float:
    """Lowest translation edit rate over the references; 1 for an empty reference, where it is undefined."""
    return min(float(ter(text.split(), reference.split())) if reference.split() else 1.0 for reference in references)
