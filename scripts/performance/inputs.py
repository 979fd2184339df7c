"""Finds out what an input is, and reads it: one run, or several rounds of the same benches."""

import json
from pathlib import Path

from . import baseline, criterion, harness
from .figures import InputError, Run


def read(path: Path) -> dict[str, Run]:
    """The runs of an input. A file is one; a folder of the harness's files has one for each, by file name."""
    try:
        if path.is_dir():
            return _read_directory(path)
        return {path.name: _read_file(path)}
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from error


def pairs(new: dict[str, Run], base: dict[str, Run], new_path: Path, base_path: Path) -> list[tuple[Run, Run]]:
    """Rounds of the same file name belong together: they ran one after the other."""
    if len(new) == 1 and len(base) == 1:
        return [(next(iter(new.values())), next(iter(base.values())))]
    if set(new) != set(base):
        lonely = min(set(new) ^ set(base))
        path = base_path if lonely in new else new_path
        raise InputError(path, f"expected the same rounds on both sides, found no `{lonely}`")
    return [(new[name], base[name]) for name in sorted(new)]


def _read_directory(path: Path) -> dict[str, Run]:
    if criterion.is_folder(path):
        return {path.name: criterion.read_folder(path)}
    files = sorted(path.glob("*.json"))
    if not files:
        raise InputError(path, "expected Criterion's folder or `.json` files, found neither")
    documents = {file: _json(file) for file in files}
    if all(isinstance(document, list) for document in documents.values()):
        return {file.name: _read_json(document, file) for file, document in documents.items()}
    merged = Run(path)
    for file, document in documents.items():
        if not isinstance(document, dict):
            raise InputError(file, "expected a baseline like the files beside it, found an array")
        run = _read_json(document, file)
        twice = set(run.benches) & set(merged.benches)
        if twice:
            raise InputError(file, f"bench `{min(twice)}` is in another file of the folder too")
        merged.benches |= run.benches
        merged.median_is = merged.median_is or run.median_is
    return {path.name: merged}


def _read_file(path: Path) -> Run:
    text = _text(path)
    if text.lstrip()[:1] in ("[", "{"):
        return _read_json(_json(path), path)
    return criterion.read_text(text, path)


def _read_json(document: object, path: Path) -> Run:
    if isinstance(document, list):
        return harness.read_rows(document, path)
    if isinstance(document, dict):
        return baseline.read_document(document, path)
    raise InputError(path, f"expected an array of the harness or a baseline, found {document!r}")


def _json(path: Path) -> object:
    try:
        return json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise InputError(path, f"expected JSON: {error.msg}", error.lineno) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(path, f"expected UTF-8, byte {error.start} is not") from error
