"""The audit of what is installed does not take silence for an answer."""

from noxfile import audit_problem

SOUND = {"name": "torch", "version": "1", "vulns": []}
UNSOUND = {"name": "lxml", "version": "1", "vulns": [{"id": "CVE-1"}, {"id": "CVE-2"}]}
UNKNOWN = {"name": "numpy", "skip_reason": "Dependency not found on PyPI and could not be audited"}


def test_packages_that_were_looked_up_and_are_sound_pass() -> None:
    assert audit_problem([SOUND, UNKNOWN]) is None


def test_a_vulnerability_is_named() -> None:
    assert audit_problem([SOUND, UNSOUND, UNKNOWN]) == "known vulnerabilities: lxml: CVE-1, CVE-2"


def test_an_audit_that_looked_nothing_up_is_none() -> None:
    for packages in ([], [UNKNOWN, UNKNOWN]):
        assert audit_problem(packages) == "nothing was audited: the database of vulnerabilities is out of reach"
