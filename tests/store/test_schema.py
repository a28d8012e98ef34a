"""Every file in results/ is valid under its schema, and the schemas match the code."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from benchmarks.core.nested import plain
from benchmarks.store.cost_record import COST_RUN
from benchmarks.store.published import RESULTS
from benchmarks.store.schema import json_schema
from benchmarks.store.speed_record import SPEED_RUN
from benchmarks.store.store import RESULT, Format, read_record, read_result
from tests.support.fakes import make_result

FORMATS = {"result": RESULT, "costs": COST_RUN, "speed": SPEED_RUN}
FILES = {
    "result": [*RESULTS.glob("reference/*/*/*/*/result.json"), *RESULTS.glob("tuning/*/*/*/*/result.json")],
    "costs": [*RESULTS.glob("reference/*/costs/*.json")],
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_schema_beside_the_results_is_the_code_s(name: str) -> None:
    form = FORMATS[name]
    committed = json.loads((RESULTS / "schema" / f"{name}-{form.schema}.json").read_text(encoding="utf-8"))
    assert committed == json_schema(form)
    Draft202012Validator.check_schema(committed)


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_valid_once_it_is_migrated(name: str) -> None:
    form: Format[Any] = FORMATS[name]
    validator = Draft202012Validator(json_schema(form))
    assert FILES[name]
    for path in FILES[name]:
        validator.validate(plain(read_record(path, form)))


def test_a_file_with_a_field_too_many_or_too_few_is_invalid() -> None:
    validator = Draft202012Validator(json_schema(RESULT))
    good = plain(make_result())
    validator.validate(good)
    for bad in ({**good, "scroe": 1}, {key: value for key, value in good.items() if key != "seed"}):
        with pytest.raises(ValidationError):
            validator.validate(bad)


def test_a_result_of_schema_1_has_the_clean_protocol(tmp_path: Path) -> None:
    old = {key: value for key, value in plain(make_result()).items() if key != "protocol"} | {"schema": 1}
    path = tmp_path / "result.json"
    path.write_text(json.dumps(old), encoding="utf-8")
    assert read_result(path) == make_result(protocol="clean")
    path.write_text(json.dumps(old | {"protocol": "released"}), encoding="utf-8")
    assert read_result(path).protocol == "released"
