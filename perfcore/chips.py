"""The catalogue, by name; and a user's own files."""

import os
import re
from functools import cache
from pathlib import Path

from perfcore.errors import PerfcoreError
from perfcore.items import Item, item_of
from perfcore.reader import SPECS, is_file, read_toml
from perfcore.schema import NETWORK, PROCESS_FACTS, SYSTEM_FACTS

__all__ = ["Item", "find", "from_file", "ids", "load", "normal"]

FOLDERS = {"chip": "chips", "memory": "memory", "system": "systems", "process": "processes", "part": "parts"}
_NAMES = re.compile(r"^(?:name|aliases)\s*=\s*(\[[^\]]*\]|\"[^\"]*\")", re.MULTILINE)
_NOT_IN_A_LINE = re.compile(r"[^a-z0-9\n]")
_TOP = 3000  # bytes; name and aliases stand at the top of a file
_FILE_ENDINGS = (".toml", ".yaml", ".yml", ".json", ".csv", ".txt", ".ini", ".xml")


def normal(name: str) -> str:
    """Return a name without case, spaces and punctuation.

    >>> normal("RTX 4090-D")
    'rtx4090d'
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


@cache
def _heads() -> dict[str, tuple[str, list[str]]]:
    """Return the kind of each file of the catalogue and the names it goes by: id -> (kind, name and aliases).

    Read by pattern, not by parsing 150 files at each start; a test compares it with what the files say.
    """
    heads = {}
    for kind, folder in FOLDERS.items():
        for name in sorted(_toml_files(SPECS / folder)):
            heads[name.removesuffix(".toml")] = (kind, spoken_names(SPECS / folder / name))
    return heads


def spoken_names(path: Path) -> list[str]:
    """Return the name and the aliases at the top of a spec file, without parsing it."""
    with open(path, "rb") as file:
        top = file.read(_TOP).decode("utf-8", "ignore").partition("\n[")[0]
    return re.findall(r'"([^"]+)"', "".join(_NAMES.findall(top)))


def _toml_files(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return [name for name in os.listdir(folder) if name.endswith(".toml")]


@cache
def _names() -> dict[str, list[str]]:
    """Map each normal name to the ids that carry it."""
    names: dict[str, list[str]] = {}
    for item_id, (_, spoken) in _heads().items():
        for name in set(_NOT_IN_A_LINE.sub("", "\n".join((item_id, *spoken)).lower()).split("\n")):
            names.setdefault(name, []).append(item_id)
    return names


def ids(kind: str = "chip") -> tuple[str, ...]:
    """Return the ids of the catalogue's chips, or of its memory parts (``kind="memory"``).

    >>> "nvidia_h20_sxm_96gb" in ids(), "skhynix_hbm3_8hi" in ids("memory")
    (True, True)
    """
    return tuple(item_id for item_id, (its_kind, _) in _heads().items() if its_kind == kind)


def find(name: str, kind: str | None = None) -> str:
    """Return the id a name stands for, of anything or of one kind.

    A rack may go by the name of the chip in it: the name alone means the chip.

    >>> find("H100 SXM"), find("gb200 nvl72"), find("gb200 nvl72", "system")
    ('nvidia_h100_sxm_80gb', 'nvidia_gb200_superchip_gpu_186gb', 'nvidia_gb200_nvl72')

    Raises
    ------
    PerfcoreError
        If nothing (of that kind) has that name, or several have.
    """
    found = [item_id for item_id in _names().get(normal(name), []) if kind in (None, _heads()[item_id][0])]
    if len(found) > 1:
        found = [item_id for item_id in found if _heads()[item_id][0] != "system"] or found
    if len(found) == 1:
        return found[0]
    if found:
        raise PerfcoreError(f"{name!r} stands for several: {', '.join(found)}; say which")
    spoken = {normal(n): n for its_kind, names in _heads().values() if kind in (None, its_kind) for n in names}
    from difflib import get_close_matches

    near = [spoken[n] for n in get_close_matches(normal(name), spoken, n=3, cutoff=0.6)]
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    said = "nothing" if kind is None else f"no {kind}"
    raise PerfcoreError(f"{name[:60]!r} is {said} of the catalogue and no file; {hint}(perfcore chips lists them)")


def load(name_or_path: str | Path, kind: str | None = None) -> Item:
    """Load a chip or memory part by any of its names, or from a TOML file; ``kind`` says which of the catalogue.

    >>> load("h20").name
    'NVIDIA H20 SXM 96 GB'

    Raises
    ------
    PerfcoreError
        If there is no such name or file, or the file is not a chip file; all its problems at once.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or _is_path(text):
        return from_file(Path(text))
    item_id = find(text, kind)
    return _of_catalogue(_catalogue_path(item_id), _heads()[item_id][0])


@cache
def _of_catalogue(path: Path, kind: str) -> Item:
    """Read a file of the catalogue once: reading takes longer than answering a question whose plan is given."""
    return item_of(read_toml(path), path, kind)


def _is_path(text: str) -> bool:
    if text.lower().endswith(_FILE_ENDINGS) or "/" in text or "\\" in text:
        return True
    return normal(text) not in _names() and is_file(text)


def _catalogue_path(item_id: str) -> Path:
    return SPECS / FOLDERS[_heads()[item_id][0]] / f"{item_id}.toml"


def from_file(path: Path) -> Item:
    """Load a user's own file; what it speaks of follows from its keys."""
    document = read_toml(path)
    telling = {
        "part": ("part_of",),
        "memory": ("generation", "pin_gbit_s"),
        "system": (*NETWORK, *SYSTEM_FACTS),
        "process": PROCESS_FACTS,
    }
    kind = next((kind for kind, keys in telling.items() if any(key in document for key in keys)), "chip")
    item = item_of(document, path, kind)
    _check_sources(item, path)
    return item


def _check_sources(item: Item, path: Path) -> None:
    """A source is a citation in words, or the id of a document in sources.toml: an id that is not there is a slip."""
    cited = [entry.get("source", "") for entry in item.document.get("evidence", ())]
    ids = [source for source in cited if source and " " not in source]
    if not ids:
        return
    known = read_toml(SPECS / "sources.toml")
    missing = [source for source in ids if source not in known]
    if missing:
        said = "give a citation in words, or the id of a document in sources.toml"
        raise PerfcoreError(f"{path}: evidence: found source {missing[0]!r}, which is not there; {said}")
