"""Slides: in the order in which they are shown, each with its title, texts, tables, diagrams and speaker's notes."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from mainspring.rag.parse.compose import Composer
from mainspring.rag.parse.office.opc import Package, local
from mainspring.rag.parse.parsed import Dropped, Parsed

_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_D = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_TITLES = ("title", "ctrTitle")
_FURNITURE = {"dt": "header", "ftr": "footer", "hdr": "header", "sldNum": "page number"}


def read(data: bytes, name: str) -> Parsed:
    """Parse a PPTX. Raises ``UnreadableDocument``."""
    composer = Composer(name)
    with Package(data, name) as package:
        main = next(
            (path for _, kind, path in package.relations("") if kind == "officeDocument"), "ppt/presentation.xml"
        )
        paths = {identity: path for identity, kind, path in package.relations(main) if kind == "slide"}
        listed = [each.get(f"{_R}id", "") for each in package.xml(main).iter(f"{_P}sldId")]
        for number, path in enumerate((paths[each] for each in listed if each in paths), 1):
            _slide(package, path, number, composer)
    return composer.parsed("pptx", "pptx")


def _slide(package: Package, path: str, number: int, composer: Composer) -> None:
    root = package.xml(path)
    hidden = root.get("show") == "0"
    shapes = list(_shapes(root))
    related = {identity: target for identity, _, target in package.relations(path)}
    title = next((_words(shape) for shape in shapes if _role(shape) in _TITLES and _words(shape)), "")
    composer.add(f"## {title or f'Slide {number}'}{' (hidden)' if hidden else ''}")
    for shape in sorted((each for each in shapes if _role(each) not in _TITLES), key=_place):
        role = _role(shape)
        if role in _FURNITURE:
            if _words(shape):
                composer.dropped.append(Dropped(_FURNITURE[role], _words(shape), number))
        elif local(shape.tag) == "graphicFrame":
            for table in shape.iter(f"{_A}tbl"):
                composer.table(_table(table), caption=title)
            for each in shape.iter(f"{_D}relIds"):
                diagram = related.get(each.get(f"{_R}dm", ""))
                if diagram in package.members:
                    _diagram(package.xml(diagram), composer)
        else:
            _paragraphs(shape, composer, items=role in ("body", "obj", "unnamed"))
    for _, kind, target in package.relations(path):
        if kind == "notesSlide" and target in package.members:
            bodies = [shape for shape in _shapes(package.xml(target)) if _role(shape) == "body"]
            notes = " ".join(_words(shape) for shape in bodies).strip()
            if notes:
                composer.add(f"Notes: {notes}")


def _shapes(root: Element) -> Iterator[Element]:
    """Shapes with text and frames with tables, groups opened."""
    for each in root:
        tag = local(each.tag)
        if tag in ("sp", "graphicFrame"):
            yield each
        elif tag in ("cSld", "spTree", "grpSp", "AlternateContent", "Choice"):
            yield from _shapes(each)


def _role(shape: Element) -> str:
    """The kind of placeholder that a shape fills; ``unnamed`` for a body without a kind, empty for a free shape."""
    placeholder = next(shape.iter(f"{_P}ph"), None)
    if placeholder is None:
        return ""
    return placeholder.get("type", "unnamed")


def _place(shape: Element) -> tuple[int, int, int]:
    """Placeholders as they come, then free shapes from the top and the left."""
    offset = next(shape.iter(f"{_A}off"), None)
    if _role(shape) or offset is None:
        return 0, 0, 0
    try:
        # A tenth of an inch: shapes side by side are rarely aligned to the point.
        return 1, int(offset.get("y", "0")) // 91440, int(offset.get("x", "0"))
    except ValueError:
        return 1, 0, 0


def _paragraphs(shape: Element, composer: Composer, *, items: bool) -> None:
    body = shape.find(f"{_P}txBody")
    if body is None:
        return
    paragraphs = [(each, _run_text(each)) for each in body.iter(f"{_A}p")]
    filled = [(each, text) for each, text in paragraphs if text]
    for number, (each, text) in enumerate(filled):
        properties = each.find(f"{_A}pPr")
        level = properties.get("lvl", "0") if properties is not None else "0"
        plain = properties is not None and properties.find(f"{_A}buNone") is not None
        depth = int(level) if level.isdecimal() else 0
        if items and len(filled) > 1 and not plain:
            composer.add(f"{'  ' * min(depth, 8)}- {text}", close=number > 0)
        else:
            composer.add(text.lstrip("#|") if text[0] in "#|" else text)


def _diagram(root: Element, composer: Composer) -> None:
    """The texts of a diagram (SmartArt) as items, each below the one that it belongs to."""
    points = {each.get("modelId", ""): each for each in root.iter(f"{_D}pt")}
    parents: dict[str, list[tuple[int, str]]] = {}
    for each in root.iter(f"{_D}cxn"):
        if each.get("type", "parOf") == "parOf":
            place = each.get("srcOrd", "0")
            child = (int(place) if place.isdecimal() else 0, each.get("destId", ""))
            parents.setdefault(each.get("srcId", ""), []).append(child)
    below = {child for children in parents.values() for _, child in children}
    waiting = [(identity, 0) for identity in reversed(points) if identity not in below]
    seen: set[str] = set()
    written = False
    while waiting:
        identity, depth = waiting.pop()
        if identity in seen or identity not in points:
            continue
        seen.add(identity)
        text = _words(points[identity])
        if text:
            composer.add(f"{'  ' * min(depth, 8)}- {text}", close=written)
            written = True
        inner = sorted(parents.get(identity, ()), reverse=True)
        waiting.extend((child, depth + bool(text)) for _, child in inner)


def _words(shape: Element) -> str:
    return " ".join(text for text in (_run_text(each) for each in shape.iter(f"{_A}p")) if text)


def _run_text(paragraph: Element) -> str:
    parts = []
    for each in paragraph.iter():
        if local(each.tag) == "t":
            parts.append(each.text or "")
        elif local(each.tag) == "br":
            parts.append(" ")
    return " ".join("".join(parts).split())


def _table(table: Element) -> list[list[str]]:
    rows: list[list[str]] = []
    for row in table.iter(f"{_A}tr"):
        cells: list[str] = []
        for cell in row.iter(f"{_A}tc"):
            if cell.get("hMerge") in ("1", "true") and cells:
                cells.append(cells[-1])
            elif cell.get("vMerge") in ("1", "true") and rows and len(cells) < len(rows[-1]):
                cells.append(rows[-1][len(cells)])
            else:
                cells.append(_words(cell))
        rows.append(cells)
    return rows
