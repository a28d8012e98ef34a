"""Scores of generated texts, as the official scripts of E2E and WebNLG give them; on the paper's scales."""

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
"""As many references as the script takes per input; the first one fills missing places."""


def e2e_scores(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """E2E's five metrics: BLEU, METEOR and ROUGE-L times 100, NIST and CIDEr as they are.

    Args:
        hypotheses: one raw text per input.
        references: one or more raw texts per input.

    Returns:
        "bleu", "nist", and, where Java and pycocoevalcap are at hand, "meteor", "rouge_l" and "cider".
    """
    found = {"bleu": 100 * mteval.bleu(hypotheses, references), "nist": mteval.nist(hypotheses, references)}
    if missing():
        return found
    from pycocoevalcap.cider.cider import Cider  # noqa: PLC0415  an extra
    from pycocoevalcap.rouge.rouge import Rouge  # noqa: PLC0415

    tokens = iter(ptb_tokenize([*hypotheses, *(reference for group in references for reference in group)]))
    said = {index: [next(tokens)] for index in range(len(hypotheses))}
    known = {index: [next(tokens) for _ in group] for index, group in enumerate(references)}
    with meteor() as process:
        corpus, _ = process.score([text for (text,) in said.values()], [*known.values()])
    return found | {
        "meteor": 100 * corpus,
        "rouge_l": 100 * float(Rouge().compute_score(known, said)[0]),
        "cider": float(Cider().compute_score(known, said)[0]),
    }


def webnlg_scores(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """WebNLG's three metrics: BLEU and METEOR times 100, TER from 0 on, where less is better.

    Args: as `e2e_scores`.

    Returns:
        "bleu", "ter", and, where Java and pycocoevalcap are at hand, "meteor".
    """
    said = [webnlg_text(text) for text in hypotheses]
    known = [_six([webnlg_text(text) for text in group]) for group in references]
    columns = [[group[place] for group in known] for place in range(WEBNLG_REFERENCES)]
    bleu = BLEU(tokenize="13a", lowercase=False).corpus_score(said, columns).score
    said_words, known_words = _words(said), [_words(group) for group in known]
    ter = mean(_ter(text, tuple(dict.fromkeys(group))) for text, group in zip(said_words, known_words, strict=True))
    found = {"bleu": float(bleu), "ter": ter}
    if missing():
        return found
    with meteor() as process:
        corpus, _ = process.score(said_words, known_words)
    return found | {"meteor": 100 * corpus}


def webnlg_text(text: str) -> str:
    """Lower-case, with blanks around every character that belongs to no word."""
    return " ".join(" ".join(re.split(r"(\W)", text.lower())).split())


def _six(references: Sequence[str]) -> list[str]:
    first = list(references[:WEBNLG_REFERENCES])
    return first + first[:1] * (WEBNLG_REFERENCES - len(first))


def _words(texts: Sequence[str]) -> list[str]:
    """NLTK's word tokens, joined by blanks."""
    return [" ".join(NLTKWordTokenizer().tokenize(text)) for text in texts]


@lru_cache(maxsize=10_000)  # what takes longest; the parts of a split are scored once more
def _ter(text: str, references: tuple[str, ...]) -> float:
    """Translation edit rate against the nearest reference; 1 where it is not defined."""
    return min(float(ter(text.split(), reference.split())) if reference.split() else 1.0 for reference in references)
