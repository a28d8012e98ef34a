"""BioNLP2004 in miniature: genes and proteins with the same names, distinguished by the surrounding words.

A symbol alone is a protein; followed by "gene" or "promoter" it is DNA, by "mRNA" RNA. Names nest: "NF1 receptor mRNA"
is one RNA entity without a protein inside. "cells" ends a cell type, or a cell line if the name starts with a strain.
Entities may be coordinated ("A, B and C"), and an abbreviation in brackets has the type of the full name.
"""

from collections.abc import Sequence

from benchmarks.core.spec import Row
from benchmarks.data.synthetic.language.drawing import EVALUATION_ROWS, MAX_TRIES, TRAIN_ROWS, Dice

Name = tuple[list[str], str]
"""Words and type of an entity."""
Part = str | Name
"""A word outside of all entities, or an entity."""

LETTERS = "ABCDEFGHKLMNPRSTVW"
PROTEIN_ENDS = ("receptor", "kinase", "protein", "antigen", "factor", "complex")
DNA_ENDS = ("gene", "promoter", "enhancer", "locus", "binding site")
RNA_ENDS = ("mRNA", "transcript", "mRNA transcripts")
TISSUES = ("peripheral blood", "bone marrow", "cord blood", "splenic", "thymic", "human", "murine")
CELLS = ("T cells", "B cells", "monocytes", "lymphocytes", "macrophages", "neutrophils", "T lymphocytes")
VERBS = ("activates", "binds", "induces", "inhibits", "regulates", "represses", "requires", "stimulates")
NOUNS = ("activation", "binding", "expression", "proliferation", "secretion", "transcription")
OPENINGS = (["we", "show", "that"], ["these", "data", "suggest", "that"], ["in", "contrast", ","], ["here", ","])


def generate() -> dict[str, list[Row]]:
    """Splits "train" and "test" with `tokens` (joined by spaces) and `tags`; all sentences are distinct."""
    dice = Dice("benchmarks.embedded.bionlp2004")
    seen: set[str] = set()
    sizes = {"train": TRAIN_ROWS, "test": EVALUATION_ROWS}
    return {split: [_new_row(dice, seen) for _ in range(size)] for split, size in sizes.items()}


def _new_row(dice: Dice, seen: set[str]) -> Row:
    for _ in range(MAX_TRIES):
        row = _row(_sentence(dice))
        if row["tokens"] not in seen:
            seen.add(row["tokens"])
            return row
    raise RuntimeError("bionlp2004: the generator has run out of sentences")


def _row(parts: Sequence[Part]) -> Row:
    tokens: list[str] = []
    tags: list[str] = []
    for part in parts:
        if isinstance(part, str):
            tokens.append(part)
            tags.append("O")
        else:
            words, kind = part
            tokens += words
            tags += [f"{'I' if index else 'B'}-{kind}" for index in range(len(words))]
    return {"tokens": " ".join(tokens), "tags": tags}


def _sentence(dice: Dice) -> list[Part]:
    opening: list[Part] = list(dice.pick(OPENINGS)) if dice.chance(0.5) else []
    return [*opening, *dice.pick((_action, _process, _introduction, _list))(dice), "."]


def _action(dice: Dice) -> list[Part]:
    return [_entity(dice), dice.pick(VERBS), _entity(dice), *_place(dice)]


def _process(dice: Dice) -> list[Part]:
    return [_entity(dice), dice.pick(NOUNS), "was", dice.pick(("increased", "reduced", "detected")), *_place(dice)]


def _introduction(dice: Dice) -> list[Part]:
    """An entity, its abbreviation in brackets, and a verb with an object."""
    words, kind = _entity(dice)
    short = "".join(word[0].upper() for word in words) + dice.pick("123456789")
    return [(words, kind), "(", ([short], kind), ")", dice.pick(VERBS), _entity(dice)]


def _list(dice: Dice) -> list[Part]:
    return [dice.pick(NOUNS), "of", _entity(dice), ",", _entity(dice), "and", _entity(dice), *_place(dice)]


def _place(dice: Dice) -> list[Part]:
    if not dice.chance(0.6):
        return []
    return ["in", dice.pick((_cell_type, _cell_line))(dice)]


def _entity(dice: Dice) -> Name:
    return dice.pick((_protein, _protein, _dna, _rna, _cell_type, _cell_line))(dice)


def _symbol(dice: Dice) -> str:
    """A symbol, which names both a gene and its protein."""
    letters = "".join(dice.pick(LETTERS) for _ in range(2 if dice.chance(0.5) else 3))
    return letters + (f"-{dice.pick('12345678')}" if dice.chance(0.6) else "")


def _protein(dice: Dice) -> Name:
    return [_symbol(dice), *([dice.pick(PROTEIN_ENDS)] if dice.chance(0.5) else [])], "protein"


def _dna(dice: Dice) -> Name:
    inner = [dice.pick(PROTEIN_ENDS)] if dice.chance(0.3) else []
    return [_symbol(dice), *inner, *dice.pick(DNA_ENDS).split()], "DNA"


def _rna(dice: Dice) -> Name:
    inner = [dice.pick(PROTEIN_ENDS)] if dice.chance(0.3) else []
    return [_symbol(dice), *inner, *dice.pick(RNA_ENDS).split()], "RNA"


def _cell_type(dice: Dice) -> Name:
    tissue = dice.pick(TISSUES).split() if dice.chance(0.6) else []
    return [*tissue, *dice.pick(CELLS).split()], "cell_type"


def _cell_line(dice: Dice) -> Name:
    strain = f"{dice.pick(LETTERS)}{dice.pick('123456789')}{dice.pick('0123456789')}"
    inner = dice.pick(CELLS).split()[:1] if dice.chance(0.3) else []
    return [strain, *inner, *dice.pick(("cells", "cell line", "clones")).split()], "cell_line"
