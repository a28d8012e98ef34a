"""The data of the `quick` preset: the tasks in miniature, generated, offline, the same bits everywhere."""

import difflib
from collections.abc import Callable

from benchmarks.core.spec import InputError, Row
from benchmarks.data.synthetic import bionlp2004, cola, e2e, mnli, mrpc, qnli, qqp, rte, sst2, stsb, webnlg, wnli

_GENERATORS: dict[str, Callable[[], dict[str, list[Row]]]] = {
    "cola": cola.generate,
    "sst2": sst2.generate,
    "mrpc": mrpc.generate,
    "qqp": qqp.generate,
    "mnli": mnli.generate,
    "qnli": qnli.generate,
    "rte": rte.generate,
    "stsb": stsb.generate,
    "wnli": wnli.generate,
    "e2e": e2e.generate,
    "webnlg": webnlg.generate,
    "bionlp2004": bionlp2004.generate,
}

TASKS = tuple(_GENERATORS)
"""Names of the embedded tasks, in the order of the paper's tables."""


def generate(task: str) -> dict[str, list[Row]]:
    """Generate one embedded task.

    Args:
        task: one of TASKS.

    Returns:
        split -> rows, by the Hub's names; "train" comes first, the headline split second.

    Raises:
        InputError: there is no such task.
    """
    if task not in _GENERATORS:
        near = difflib.get_close_matches(task, TASKS, n=3, cutoff=0.3) or TASKS
        raise InputError(f"there is no embedded task {task!r}; the nearest known: {', '.join(near)}")
    return _GENERATORS[task]()
