"""Nothing that comes from a file is ever executed, and no shell is started."""

from __future__ import annotations

import ast
import re

import pytest
from house.source import ROOT, trees, where

FORBIDDEN = {
    "eval": "ast.literal_eval, or a parser",
    "exec": "nothing: text is not a program",
    "compile": "nothing",
    "__import__": "importlib with a name that is written in the source",
    "os.system": "subprocess.run with a list",
    "os.popen": "subprocess.run with a list",
    "subprocess.getoutput": "subprocess.run with a list",
    "subprocess.getstatusoutput": "subprocess.run with a list",
    "tempfile.mktemp": "tempfile.mkstemp, or a name of its own in the target's folder",
    "mktemp": "tempfile.mkstemp, or a name of its own in the target's folder",
    "yaml.unsafe_load_all": "yaml.safe_load_all",
    "yaml.load_all": "yaml.safe_load_all",
    "yaml.load": "yaml.safe_load",
    "yaml.full_load": "yaml.safe_load",
    "yaml.unsafe_load": "yaml.safe_load",
    "pd.read_pickle": "a converter with an allow-list",
    "pandas.read_pickle": "a converter with an allow-list",
    "joblib.load": "safetensors, or numpy with allow_pickle=False",
    "torch.hub.load": "a module of this package and verified weights",
    "ET.parse": "defusedxml",
    "ElementTree.parse": "defusedxml",
}
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "imp", "xml.etree.ElementTree", "xmlrpc"}


def findings(tree: ast.Module) -> list[str]:
    """What a tree does that it must not, with the line."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found += [f"{node.lineno} {fault}" for fault in _call_faults(node)]
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [f"{node.lineno} import {name}" for name in names if name in MODULES]  # type: ignore[attr-defined]
    return found


def _call_faults(call: ast.Call) -> list[str]:
    name = ast.unparse(call.func)
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    faults = [f"{name}: use {FORBIDDEN[name]}"] if name in FORBIDDEN else []
    for keyword in ("allow_pickle", "shell", "trust_remote_code"):
        if keyword in given and not (isinstance(given[keyword], ast.Constant) and given[keyword].value is False):  # type: ignore[attr-defined]
            faults.append(f"{name}({keyword}=...)")
    if name.startswith("subprocess.") and call.args and isinstance(call.args[0], (ast.JoinedStr, ast.Constant)):
        faults.append(f"{name} with a text: use a list")
    if name == "torch.load" and ast.unparse(given.get("weights_only", ast.Constant(None))) != "True":
        faults.append("torch.load without weights_only=True")
    if name in ("np.load", "numpy.load") and "allow_pickle" not in given:
        faults.append("numpy.load without allow_pickle=False")
    if name.endswith("extractall") and "filter" not in given:
        faults.append(f"{name} without filter='data'")
    return faults


def test_the_package_executes_nothing_from_files() -> None:
    wrong = [f"{where(path, tree)}: {fault}" for path, tree in trees().items() for fault in findings(tree)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "def f():\n    import dill",
        "eval(text)",
        "exec(text)",
        "yaml.load(file)",
        "yaml.load(file, Loader=yaml.SafeLoader)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "subprocess.run(command, shell=True)",
        "os.system(command)",
        "subprocess.run('git status')",
        "subprocess.Popen(f'git {command}')",
        "subprocess.getoutput(command)",
        "tempfile.mktemp()",
        "archive.extractall(folder)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "import xml.etree.ElementTree as ET",
    ],
)
def test_each_way_to_execute_a_file_is_noticed(line: str) -> None:
    assert len(findings(ast.parse(line))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "np.load(path, allow_pickle=False)",
        "torch.load(path, weights_only=True)",
        "yaml.safe_load(file)",
        "subprocess.run(['git'], shell=False)",
        "archive.extractall(folder, filter='data')",
        "re.compile(pattern)",
    ],
)
def test_the_safe_ways_pass(line: str) -> None:
    assert findings(ast.parse(line)) == []


def test_templates_escape_what_they_show() -> None:
    """Names from files end up in the report: they must not become markup."""
    sources = [path.read_text(encoding="utf-8") for path in trees()]
    environments = [text for text in sources if re.search(r"\bEnvironment\(", text) and "jinja2" in text]
    assert all("autoescape=True" in text or "select_autoescape" in text for text in environments)


def test_the_security_page_names_these_promises() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for word in ("pickle", "eval", "safe_load", "allow_pickle=False", "weights_only=True", "report"):
        assert word in page
