"""The measuring processes of `measure cost`: requests, results and the errors of processes that have ended."""

from multiprocessing import Pipe
from unittest.mock import Mock

import pytest

from benchmarks.core.spec import InputError
from benchmarks.measure.cost_process import MeasuringProcess


@pytest.mark.parametrize(
    ("exitcode", "message"),
    [(-9, "was killed; take fewer --methods"), (1, "ended with the unexpected error that is shown above")],
)
def test_the_result_of_a_process_that_has_ended_is_an_error(exitcode: int, message: str) -> None:
    ours, theirs = Pipe()
    theirs.close()
    process = MeasuringProcess(Mock(exitcode=exitcode), ours)
    process.start_turn(0)
    with pytest.raises(InputError, match=message):
        process.result()
