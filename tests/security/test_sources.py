"""What none of our code does: unpickle, evaluate text, run a shell, trust a model's code, parse XML with entities."""

import ast
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.support.paths import ROOT

SOURCES = [
    *(
        path
        for name in ("autolora", "autolora_bench", "baselines", "benchmarks", "examples")
        for path in (ROOT / name).rglob("*.py")
    ),
    ROOT / "noxfile.py",
]
PICKLERS = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
ARCHIVES = {"tarfile", "zipfile"}
NETWORK = {"socket", "ssl", "http", "urllib", "ftplib", "smtplib", "requests", "httpx", "aiohttp"}
UNPICKLE = {"torch.load", "pandas.read_pickle", "torch.jit.load", "numpy.lib.npyio.NpzFile"}
SHELLS = {"subprocess.getoutput", "subprocess.getstatusoutput", "asyncio.create_subprocess_shell"}
OS_SHELLS = ("os.system", "os.popen", "os.exec", "os.spawn", "os.posix_spawn", "pty.spawn")
XML = ("xml.", "lxml")
STRICTER = "refuses a model's code where it loads one"
"""An example may leave it to transformers, which asks; a run that nobody watches may not."""
NO_PARSER = "xml.etree.ElementTree.ParseError"


def names(tree: ast.Module) -> dict[str, str]:
    """Local name -> what it is, where they differ: {"np": "numpy", "load": "torch.load"}."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def used(tree: ast.Module) -> Iterator[str]:
    """Dotted names of everything that is called, passed on or read, aliases undone."""
    known = names(tree)
    for node in ast.walk(tree):
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value  # noqa: PLW2901  down to the name that it begins with
        if isinstance(node, ast.Name):
            yield ".".join([known.get(node.id, node.id), *parts])


def keywords(tree: ast.Module, name: str) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == name:
            yield node.value
        elif isinstance(node, ast.Dict):
            yield from (
                value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and key.value == name
            )


def is_not_false(value: ast.expr) -> bool:
    return not (isinstance(value, ast.Constant) and value.value is False)


def loads_without_refusing_code(tree: ast.Module) -> list[str]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    loads = [call for call in calls if call.func.attr == "from_pretrained"]
    return [ast.unparse(call) for call in loads if "trust_remote_code" not in {each.arg for each in call.keywords}]


def of(modules: set[str]) -> Callable[[ast.Module], list[str]]:
    return lambda tree: [name for name in imported(tree) if name.split(".")[0] in modules]


RULES: Mapping[str, tuple[Callable[[ast.Module], list[str]], tuple[str, ...]]] = {
    "imports no pickler": (of(PICKLERS), ("import pickle", "from joblib import load", "import dill as json")),
    "unpickles nothing": (
        lambda tree: [name for name in used(tree) if name in UNPICKLE],
        ("import torch\ntorch.load('a')", "from torch import load as read\nread('a')", "import pandas as pd\nf = pd.read_pickle"),
    ),
    "lets numpy unpickle nothing": (
        lambda tree: [ast.unparse(value) for value in keywords(tree, "allow_pickle") if is_not_false(value)],
        ("np.load('a', allow_pickle=True)", "np.load('a', **{'allow_pickle': yes})"),
    ),
    "evaluates no text": (
        lambda tree: [name for name in used(tree) if name.removeprefix("builtins.") in ("eval", "exec", "compile", "__import__")],
        ("eval('1')", "exec(code)", "import builtins\nbuiltins.eval('1')", "list(map(eval, texts))"),
    ),
    "trusts no model's code": (
        lambda tree: [ast.unparse(value) for value in keywords(tree, "trust_remote_code") if is_not_false(value)],
        ("load(a, trust_remote_code=True)", "load(a, trust_remote_code=trust)", "options = {'trust_remote_code': True}"),
    ),
    STRICTER: (
        loads_without_refusing_code,
        ("AutoModel.from_pretrained('a')", "classes[0].from_pretrained('a', dtype=float)"),
    ),
    "runs no shell": (
        lambda tree: [
            *(ast.unparse(value) for value in keywords(tree, "shell") if is_not_false(value)),
            *(name for name in used(tree) if name in SHELLS or name.startswith(OS_SHELLS)),
        ],
        (
            "import subprocess\nsubprocess.run('ls', shell=True)",
            "import os\nos.system('ls')",
            "from os import popen\npopen('ls')",
            "import subprocess as s\ns.getoutput('ls')",
        ),
    ),
    "loads no objects from YAML": (
        lambda tree: [name for name in used(tree) if name.startswith("yaml.") and name not in ("yaml.safe_load", "yaml.safe_dump")],
        ("import yaml\nyaml.load(a, Loader=yaml.Loader)", "from yaml import unsafe_load as load\nload(a)"),
    ),
    "parses XML by defusedxml alone": (
        lambda tree: [name for name in imported(tree) if name.startswith(XML) and name != NO_PARSER],
        ("from xml.etree import ElementTree", "import xml.sax", "from lxml import etree", "import xml.dom.minidom as x"),
    ),
    "unpacks no archives": (
        lambda tree: [*of(ARCHIVES)(tree), *(name for name in used(tree) if name == "shutil.unpack_archive")],
        ("import tarfile", "from zipfile import ZipFile", "import shutil\nshutil.unpack_archive('a.tar')"),
    ),
    "opens no connections itself": (of(NETWORK), ("import socket", "from urllib.request import urlopen", "import requests")),
}  # fmt: skip


ASKED = {"opens no connections itself": "benchmarks/run/ray/connection.py"}
"""Rule -> who may break it: `--ray HOST:PORT` asks for a connection."""


@pytest.mark.parametrize("rule", RULES)
def test_our_code(rule: str) -> None:
    find, _ = RULES[rule]
    sources = [path for path in SOURCES if rule != STRICTER or path.is_relative_to(ROOT / "benchmarks")]
    sources = [path for path in sources if str(path.relative_to(ROOT)) != ASKED.get(rule)]
    assert len(sources) > 150
    found = {path.relative_to(ROOT): find(ast.parse(path.read_text("utf-8"))) for path in sources}
    assert not {path: names for path, names in found.items() if names}


@pytest.mark.parametrize(("rule", "planted"), [(rule, text) for rule, (_, texts) in RULES.items() for text in texts])
def test_a_planted_violation_is_found(rule: str, planted: str) -> None:
    find, _ = RULES[rule]
    assert find(ast.parse(planted))
