"""When the order in which a page is drawn is kept, and when not; hand-made pages."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.rag.parse.pdf import columns, layout, order
from mainspring.rag.parse.pdf.geometry import Picture, Piece, Sheet

WORDS = "has a line of text that runs on and on"


def column(x: float, name: str, lines: int = 12, top: float = 700, width: float = 200) -> list[Piece]:
    return [
        Piece(x, top - 12 * n, x + width, top - 12 * n + 9, f"{name} {n} {WORDS}", size=10, block=-1)
        for n in range(lines)
    ]


def against(pieces: Sequence[Piece]) -> bool:
    return order.against(pieces, columns.regions(pieces, 9.0), 9.0)


LEFT, RIGHT = column(60, "Left"), column(320, "Right")


def test_columns_drawn_one_after_the_other_are_kept_and_columns_drawn_in_turns_are_not() -> None:
    assert not against([*LEFT, *RIGHT])
    assert against([piece for pair in zip(LEFT, RIGHT, strict=True) for piece in pair])
    assert against([*RIGHT, *LEFT])


def test_terms_beside_their_descriptions_are_kept_in_turns() -> None:
    terms = [Piece(60, piece.bottom, 120, piece.top, f"Term {n}", size=10) for n, piece in enumerate(LEFT)]
    assert not against([piece for pair in zip(terms, RIGHT, strict=True) for piece in pair])


def test_paragraphs_from_the_bottom_up_are_not_kept_and_a_footer_drawn_first_is() -> None:
    parts = [column(60, name, 4, top, 460) for name, top in (("A", 700), ("B", 630), ("C", 560))]
    assert not against([piece for part in parts for piece in part])
    assert against([piece for part in reversed(parts) for piece in part])
    footer = Piece(60, 30, 520, 39, "A footer of more than four words", size=10)
    assert not against([footer, *(piece for part in parts for piece in part)])


def test_little_prose_is_judged_by_its_jumps() -> None:
    labels = [Piece(60, 700 - 20 * n, 90, 709 - 20 * n, f"axis {n}", size=10) for n in range(6)]
    assert not against(labels)
    assert against(labels[::-1])


def test_text_in_two_columns_is_no_table() -> None:
    box = (58.0, 560.0, 522.0, 600.0)
    assert order.torn([*LEFT, *RIGHT], box)
    cells = [
        Piece(60 + 90 * c, 650 - 12 * r, 100 + 90 * c, 659 - 12 * r, f"{r}{c}") for r in range(3) for c in range(3)
    ]
    assert not order.torn([*LEFT[:3], *cells, *RIGHT], (58.0, 620.0, 300.0, 660.0))
    assert not order.torn([], box)


def test_auto_keeps_the_order_and_layout_does_not() -> None:
    # A box beside the text, set between its lines 3 and 4 by whoever drew it: short lines, no column of prose.
    notes = [Piece(400, 650 - 12 * n, 470, 659 - 12 * n, f"note {n}.", size=10) for n in range(4)]
    sheet = Sheet([*LEFT[:4], *notes, *LEFT[4:]])
    texts = {}
    for route in ("auto", "layout"):
        (blocks,), _ = layout.render([sheet], route)
        texts[route] = " ".join(block.text for block in blocks)
    assert texts["auto"].index("note 3") < texts["auto"].index("Left 4")
    assert texts["layout"].index("note 3") > texts["layout"].index("Left 11")


def test_a_figure_stands_before_what_is_drawn_below_it() -> None:
    sheet = Sheet([*LEFT[:6], *column(60, "More", 6, 400)], pictures=[Picture(60, 420, 260, 620)])
    (blocks,), _ = layout.render([sheet])
    shown = next(number for number, block in enumerate(blocks) if block.picture)
    assert "Left 5" in blocks[shown - 1].text
    assert "More 0" in blocks[shown + 1].text
