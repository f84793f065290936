"""The bar that the code of the package is held to; a failure prints the numbers and the worst places."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import tokenize
from pathlib import Path

import numpy as np
from house.source import PACKAGE, ROOT, body_lines, calls, classes, code_lines, functions, trees, where

from neurodecode import errors

FAMILY = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}
PROTOCOL = {"AttributeError", "IndexError", "KeyError", "NotImplementedError", "StopIteration"}  # Python itself asks for these
BUILTIN = {name for name, value in vars(builtins).items() if inspect.isclass(value) and issubclass(value, BaseException)}


def raises() -> list[tuple[str, ast.Call]]:
    """Every ``raise Something(...)`` of the package with its place."""
    return [
        (where(path, node), node.exc)
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    ]


def carries_a_value(call: ast.Call) -> bool:
    """Whether a message holds something that is known only at run time."""
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(not isinstance(part, ast.Constant) for value in given for part in _parts(value))


def _parts(value: ast.expr) -> list[ast.expr]:
    """Pieces of an f-string; anything else is one piece."""
    return value.values if isinstance(value, ast.JoinedStr) else [value]


def test_a_person_reads_a_file_in_one_sitting() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in trees()}
    longest = sorted(lines.items(), key=lambda item: -item[1])[:5]
    assert np.percentile(list(lines.values()), 90) <= 400, longest
    assert max(lines.values()) <= 600, longest


def test_functions_are_short() -> None:
    lengths = {f"{f.where} {f.name}": body_lines(f.node) for f in functions()}
    values, longest = np.array(list(lengths.values())), sorted(lengths.items(), key=lambda item: -item[1])[:10]
    assert np.median(values) <= 12, longest
    assert np.percentile(values, 90) <= 35, longest
    assert np.mean(values > 50) <= 0.03, longest
    assert values.max() <= 80, longest


def test_everything_public_has_a_docstring() -> None:
    files = [str(path.relative_to(ROOT)) for path, tree in trees().items() if not ast.get_docstring(tree)]
    types = [f"{place} {node.name}" for place, node in classes() if not ast.get_docstring(node)]
    public = [f"{f.where} {f.name}" for f in functions() if f.public and not ast.get_docstring(f.node)]
    assert files + types + public == []


def test_every_argument_and_result_is_annotated() -> None:
    bare = []
    for f in functions():
        every = f.node.args
        given = [*every.posonlyargs, *every.args, *every.kwonlyargs, every.vararg, every.kwarg]
        missing = [a.arg for a in given if a is not None and a.annotation is None and a.arg not in ("self", "cls")]
        if missing or f.node.returns is None:
            bare.append(f"{f.where} {f.name}: {missing or 'result'}")
    assert bare == []


def test_messages_carry_the_value_that_was_wrong() -> None:
    ours = [(place, call) for place, call in raises() if ast.unparse(call.func) in FAMILY]
    without = [f"{place} {ast.unparse(call)[:90]}" for place, call in ours if not carries_a_value(call)]
    assert len(ours) > 100
    assert len(without) <= 0.1 * len(ours), without


def test_only_the_one_family_of_errors_is_raised() -> None:
    foreign = [f"{place} {ast.unparse(call)[:90]}" for place, call in raises() if ast.unparse(call.func) in BUILTIN - PROTOCOL]
    assert foreign == []


def test_no_error_is_swallowed_unseen() -> None:
    """Whoever catches everything raises again, or hands the error on by its name."""
    bare = [
        where(path, node)
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and not any(isinstance(n, ast.Raise) or (isinstance(n, ast.Name) and n.id == node.name) for n in ast.walk(node))
    ]
    assert bare == []


def test_nothing_is_printed() -> None:
    assert [place for name in ("print", "sys.stdout.write", "pprint") for place, _ in calls(name)] == []


def test_no_note_to_self_is_left() -> None:
    notes = []
    for path in trees():
        with tokenize.open(path) as file:
            comments = [t for t in tokenize.generate_tokens(file.readline) if t.type == tokenize.COMMENT]
        marked = [t for t in comments if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", t.string)]
        notes += [f"{path.relative_to(ROOT)}:{t.start[0]} {t.string}" for t in marked]
    assert notes == []


def test_no_module_keeps_state_that_functions_change() -> None:
    changed = [f"{f.where} {f.name}" for f in functions() if any(isinstance(n, ast.Global) for n in ast.walk(f.node))]
    assert changed == []


def test_there_is_as_much_test_as_source() -> None:
    source = {path: code_lines(path) for path in trees()}
    tests = sum(code_lines(path) for path in (ROOT / "tests").rglob("*.py"))
    assert tests >= sum(source.values()), f"{tests} lines of test for {sum(source.values())} lines of source"


def test_each_folder_of_the_package_has_its_tests() -> None:
    folders = [path.name for path in sorted(PACKAGE.iterdir()) if path.is_dir() and any(path.glob("*.py"))]
    assert [name for name in folders if not list((ROOT / "tests" / name).rglob("test_*.py"))] == []


def test_the_bar_itself_tells_good_from_bad() -> None:
    call = ast.parse("raise DataError(f'got {x}')").body[0]
    assert isinstance(call, ast.Raise)
    assert isinstance(call.exc, ast.Call)
    assert carries_a_value(call.exc)
    for dull in ("DataError('wrong')", "DataError(f'wrong')", "FormatError('a', 'b', remedy='c')"):
        expression = ast.parse(dull, mode="eval").body
        assert isinstance(expression, ast.Call)
        assert not carries_a_value(expression)
    function = ast.parse('def f():\n    """Say.\n\n    More.\n    """\n    a = 1\n\n    return a\n').body[0]
    assert isinstance(function, ast.FunctionDef)
    assert body_lines(function) == 3
    assert code_lines(Path(__file__)) < len(Path(__file__).read_text().splitlines())
