"""reStructuredText, AsciiDoc, manual pages and what Markdown files have beside Markdown: what is shown of them."""

from __future__ import annotations

import re

import pytest

from mainspring.rag.parse import formats
from mainspring.rag.parse.kinds import detect
from mainspring.rag.parse.markup import asciidoc, markdown_extensions, roff, rst
from mainspring.rag.parse.parsed import Parsed
from mainspring.rag.text import sentences

RST = """
.. _files:

=======
 Files
=======

.. module:: files

The :mod:`files` module, see :ref:`the guide <guide>` and :func:`os.chmod`, copies *src*
to *dst*; ``x = 1`` stays [1]_.

Copying
-------

.. function:: copy(src, dst, *, \\
                   follow=True)
              copy2(src)

   Copies the file. It raises :exc:`~files.SameFileError`::

      copy("a", "b")

   .. versionchanged:: 3.3
      Added *follow*.

   .. versionadded:: 3.2

.. note::

   Never on |os|.

* one item that is
  wrapped. And more.

  A second paragraph of it.
* two

timeout
   The time in seconds.

-v, --verbose  Say more.

=====  ======
Name   Value
=====  ======
mode   0o644
size   -1
=====  ======

+------+-------+
| Flag | What  |
+======+=======+
| -a   | all   |
|      | files |
+------+-------+

.. |os| replace:: Windows
.. a comment
.. index:: single: copying
.. code-block:: sh

   ls   -l

.. [1] A footnote about it.
"""


def read(text: str, name: str) -> Parsed:
    kind, _ = detect(text.encode(), name)
    parsed = formats.read(text.encode(), name, kind)
    for heading in parsed.headings:
        assert heading.title in " ".join(parsed.text[heading.start : heading.end].split())
    for table in parsed.tables:
        assert parsed.text[table.start : table.end].startswith("| ")
    return parsed


def shown(parsed: Parsed) -> list[str]:
    text = parsed.text
    return [text[one.start : one.end] for one in sentences.split(text) if one.showable]


def test_restructuredtext_is_read_as_such() -> None:
    parsed = read(RST, "files.rst")
    assert [(each.level, each.title) for each in parsed.headings] == [
        (1, "Files"),
        (2, "Copying"),
        (3, "copy(src, dst, *, follow=True) copy2(src)"),
    ]
    assert shown(parsed) == [
        "The files module, see the guide and os.chmod(), copies src to dst; `x = 1` stays.",
        "Copies the file.",
        'copy("a", "b")',
        "Changed in version 3.3: Added follow.",
        "Added in version 3.2.",
        "Note: Never on Windows.",
        "one item that is wrapped. And more.\n\n  A second paragraph of it.",
        "two",
        "timeout: The time in seconds.",
        "`-v, --verbose`: Say more.",
        "Name: mode | Value: 0o644",
        "Name: size | Value: -1",
        "Flag: -a | What: all files",
        "ls   -l",
        "A footnote about it.",
    ]
    assert not re.search(r"::|:\w+:`|\.\. |\*[a-z]|_`|\|os\|", parsed.text)


def test_pairs_at_the_top_give_the_title() -> None:
    header = "PEP: 541\nTitle: Package Names\nAuthor: Ann <ann@example.org>,\n        Ben\nPost-History: `May 1 <https://x.org>`__\n"
    parsed = read(
        f"{header}\n\nAbstract\n========\n\nNames are short.\n\n::\n\n  # no heading\n\nMore\n----\n\nThat is all.\n",
        "a.rst",
    )
    assert [(each.level, each.title) for each in parsed.headings] == [
        (1, "Package Names"),
        (2, "Abstract"),
        (3, "More"),
    ]
    assert shown(parsed) == [
        "PEP: 541",
        "Author: Ann <ann@example.org>, Ben",
        "Post-History: May 1",
        "Names are short.",
        "# no heading",
        "That is all.",
    ]
    post = read("Title: Our leave\nDate: 2024-01-02\n\nEverybody has 25 days.\n", "post.md")
    assert [each.title for each in post.headings] == ["Our leave"]
    assert shown(post) == ["Date: 2024-01-02", "Everybody has 25 days."]
    plain = read("Note: closed on Mondays.\nTel: 0123\n\nMore here.\n", "note.md")
    assert plain.text.startswith("Note: closed on Mondays.")
    assert not plain.headings


ADOC = """
= Tool(1)
:toc: left

[[options]]
== OPTIONS

`-a`::
`--all`::
\tStage *all* files, see linkgit:git-add[1]
\tand link:https://example.org/x[the site].
+
It takes _long_.

-b:: Build.

include::more.adoc[]

.Limits
[cols="1,1"]
|===
|Name |Value
|size |12
|===

[source,sh]
----
tool -a   # <<x>>
----

. First
. Second, see <<options,the options>>

// a comment
ifdef::x[]
NOTE: Mind {empty}this.
endif::[]
"""


def test_asciidoc_is_read_as_such() -> None:
    parsed = read(ADOC, "tool.adoc")
    assert [(each.level, each.title) for each in parsed.headings] == [(1, "Tool(1)"), (2, "OPTIONS")]
    assert shown(parsed) == [
        "`-a`, `--all`: Stage all files, see git-add(1) and the site.\n\n  It takes long.",
        "-b: Build.",
        "Name: size | Value: 12",
        "tool -a   # <<x>>",
        "First",
        "Second, see the options",
        "NOTE: Mind this.",
    ]


MAN = r""".\" Copyright someone
.TH TOOL 1 2024
.de Vb
secret
..
.SH NAME
tool \- do \fBthings\fR
.SH OPTIONS
.TP
.BR \-a ", " \-\-all
Take all files
.RI ( many ).
.TP
\fB\-b\fR
.TQ
\fB\-\-build\fR
Build it.
.PP
\fB\-c\fR
.br
\fB\-\-copy\fR
.RS 4
Copy it\&.
.RE
.IP \(bu 2
a point
.if t \{\
never
.\}
.nf
tool \-a
  file
.fi
.TS
l l.
Name	T{
.PP
Its meaning
T}
size	T{
how large
T}
.TE
.PP
It ends\(emhere,
.BR cp (1).
"""


def test_a_manual_page_is_read_as_such() -> None:
    parsed = read(MAN, "tool.1")
    assert parsed.kind == "roff"
    assert [each.title for each in parsed.headings] == ["TOOL(1)", "NAME", "OPTIONS"]
    assert shown(parsed) == [
        "tool - do things",
        "-a, --all: Take all files (many).",
        "-b, --build: Build it.",
        "-c, --copy: Copy it.",
        "a point",
        "tool -a\n  file",
        "Name: size | Its meaning: how large",
        "It ends—here, cp(1).",
    ]
    mdoc = ".Dd 1\n.Dt LS 1\n.Sh NAME\n.Nm ls\n.Nd list files\n.Sh DESCRIPTION\n.Nm\nlists, with\n.Fl a\nall of them.\n"
    assert "ls list files" in read(mdoc, "ls.1").text
    assert "ls lists, with -a all of them." in read(mdoc, "ls.1").text


def test_an_escaped_space_belongs_to_the_word_of_a_macro() -> None:
    lines = [".TH T 1", ".SH OPTIONS", ".TP", r".BI \-\-limit \ PERCENT", "Stop at it.", ".TP"]
    page = "\n".join([*lines, r".BI \-o \ FILE\fR,\fB \ \-\-out \ FILE", "Write.", ""])
    assert shown(read(page, "t.1")) == ["--limit PERCENT: Stop at it.", "-o FILE, --out FILE: Write."]


def test_a_lookalike_is_not_one() -> None:
    assert detect(b"Notes on release 1.1 of it.\n", "notes.1")[0] == "text"
    assert detect(b"-----BEGIN PGP SIGNATURE-----\n", "file.asc")[0] == "text"


MARKDOWN = """<!-- hidden
comment -->
<h1 align="center">Tool</h1>
<p align="center"><img src="a.png" alt="The logo"></p>

[![build](https://x.org/b.svg)](https://x.org)

## <span id="setup">Setup</span> {#setup .wide}

<a name="x"></a>Press <kbd>Ctrl</kbd> and see {ref}`the guide <guide>` or :func:`~os.path`.<br>Then x < y &amp; z.

(target)=
> [!WARNING]
> It is hot.

!!! tip "Save time"
    Do less.

:::note
Mind it.
:::

Use `<span id="kept">` and {{< rawhtml >}} so.

```html
<span id="code"></span>
```
"""


def test_html_and_extensions_of_markdown_leave_no_marks() -> None:
    parsed = read(MARKDOWN, "readme.md")
    assert [each.title for each in parsed.headings] == ["Tool", "Setup"]
    code = '```html\n<span id="code"></span>\n```'
    assert code in parsed.text
    prose = parsed.text.replace(code, "").replace('`<span id="kept">`', "")
    assert not re.search(r"<[a-z/!]|\{|::|:\w+:`|&amp;|\(target\)|!!!|\[!", prose)
    assert "Press `Ctrl` and see the guide or os.path. Then x < y & z." in prose
    for part in ("The logo", "Warning:", "Save time:", "Note:"):
        assert part in prose


def test_bullets_right_below_the_line_of_an_item_are_items() -> None:
    text = read(
        "Bed\n===\n\n1. **Update**\n  * Get the latest version\n    of it.\n  * Restart.\n2. Print\n", "bed.rst"
    ).text
    assert shown_items(text) == ["Update", "Get the latest version of it.", "Restart.", "Print"]


def shown_items(text: str) -> list[str]:
    return [" ".join(text[one.start : one.end].split()) for one in sentences.split(text) if one.kind == "item"]


LISTS = """# Kit

To bring:
<ul>
  <li>Shoes</li>
  <li class="x">
    <p>A coat, for
    wet days</p></li>
  <li>Food:
    <ol><li>bread</li><li>cheese</li></ol>
  </li>
</ul> Then go.

<ol>
<li>Sit</li>
<li>Row</li>
</ol>

| Day | Open |
| --- | --- |
| Monday | <ul><li>mornings</li><li>evenings</li></ul> |

Write `<li>` so.
"""


def test_lists_in_html_are_lists_of_markdown() -> None:
    parsed = read(LISTS, "kit.md")
    assert shown_items(parsed.text) == ["Shoes", "A coat, for wet days", "Food:", "bread", "cheese", "Sit", "Row"]
    lines = [line for line in parsed.text.splitlines() if line.strip()]
    shown = ("  1. bread", "  2. cheese", "2. Row", " Then go.", "| Day: Monday | Open: mornings; evenings |")
    assert set(shown) <= set(lines)
    assert "Write `<li>` so." in lines


@pytest.mark.parametrize("text", ["</ul></li>a", "<li>", "<ul><ul>", "`<li>", "a <li>b", "<ol><li>"])
def test_broken_lists_in_html_are_no_trouble(text: str) -> None:
    assert "<" not in markdown_extensions.strip(text).replace("`<li>", "")


ASIDES = """:::tip

Ask early.
It helps.

:::
:::caution Before you start
Look out.
:::

> [!NOTE]
> Bring tea.

1. Open it.
    :::important
    Mind the lid.
    :::
2. Close it.

!!! warning
    Hot.

:::note
- one
:::
"""


def test_the_label_of_a_note_opens_its_text() -> None:
    lines = read(ASIDES, "notes.md").text.splitlines()
    for line in (
        "Tip: Ask early.",
        "Before you start: Look out.",
        "> Note: Bring tea.",
        "    Important: Mind the lid.",
    ):
        assert line in lines
    assert "Warning: Hot." in lines
    assert "- one" in lines


def test_what_a_picture_says_is_no_part_of_the_next_sentence() -> None:
    text = read('![Vest image](v.png)\nThe hoodie is cotton.\n<img alt="A cap">\nThe cap is wool.', "kit.md").text
    assert "A cap" in text
    assert "image" not in text
    shown = [text[one.start : one.end] for one in sentences.split(text) if one.showable]
    assert shown == ["The hoodie is cotton.", "The cap is wool."]
    # Between steps it belongs to the step: the list goes on.
    text = read("1. Open it.\n   ![The lid](lid.png)\n2. Close it.", "steps.md").text
    assert [one.kind for one in sentences.split(text)] == ["item", "item"]


UNNAMED = """# Kinds of ticket

|      |      |
| ---- | ---- |
| **Who may buy it** | Anybody over 18. |
| **Price** | \\$75 a month. |
|  | Paid in advance. |

|  |  |  |
|--|--|--|
| Red | 3 | open |

| Area | Children |
| - | :-: |
| **Low risk** <ul><li>Kitchen</li><li>Yard</li></ul> | may<p>come in</p> |

It costs \\$20 &ndash; not \\*less\\*.
"""


def test_a_table_in_html_is_a_table_of_markdown() -> None:
    table = (
        "<table border=1><TR><th>Size</th><th>Price</th></TR>\n<tr><td>Small</td><td><b>3 &euro;</b></td></tr></table>"
    )
    shown = markdown_extensions.strip(f"Prices:\n{table}\nMore.")
    assert shown.split() == "Prices: | Size | Price | | --- | --- | | Small | 3 € | More.".split()
    # With a cell a row it is only how a page was laid out.
    rows = "<tr align='center'>\n <td>SPRING VIEW</td>\n </tr><tr><td></td></tr><tr><td>16 Lane</td></tr>"
    laid_out = f"<table>\n {rows}</table>"
    assert markdown_extensions.strip(laid_out).split("\n") == ["", "", "SPRING VIEW", "16 Lane", "", ""]
    for kept in (f"```\n{table}\n```", "<table><tr><td>never closed"):
        assert markdown_extensions.strip(kept) == kept


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ("<td>System</td><td>Windows 11</td>|<td>Screen</td><td>14 inches</td>", ["System: Windows 11"]),
        ("<th>System</th><td>Windows</td>|<th>Screen</th><td>large</td>", ["System: Windows", "Screen: large"]),
        ("<td><b>Size</b></td><td><b>Colour</b></td>|<td>Small</td><td>red</td>", ["Size: Small | Colour: red"]),
        ("<td>Size</td><td>Price</td>|<td>Small</td><td>3 €</td>", ["Size: Small | Price: 3 €"]),
        ("<td>A</td><td>B</td><td>C</td>|<td>x</td><td>y</td><td>z</td>", ["A: x | B: y | C: z"]),
    ],
)
def test_the_first_row_of_a_table_in_html_names_columns_where_it_is_no_pair(rows: str, lines: list[str]) -> None:
    table = "".join(f"<tr>{row}</tr>" for row in rows.split("|"))
    shown = read(f"Needs:\n\n<table>{table}</table>", "needs.md").text.splitlines()
    assert all(f"| {line} |" in shown for line in lines)


def test_rows_of_a_page_that_are_keys_with_values_name_no_columns() -> None:
    page = "<html><body><h1>Club</h1><p>We row on the river every day.</p><table>{}</table></body></html>"
    boxes = "<tr><th>Founded</th><td>in spring</td></tr><tr><th>Seat</th><td>York</td></tr>"
    for rows in (boxes, boxes.replace("th>", "td>")):
        assert "| Founded: in spring |\n| Seat: York |" in read(page.format(rows), "club.html").text
    named = "<tr><th>Size</th><th>Colour</th></tr><tr><td>Small</td><td>red</td></tr>"
    for rows in (named, named.replace("th>", "td>").replace("red", "3 €")):
        assert "| Size: Small | Colour: " in read(page.format(rows), "club.html").text


def test_the_only_column_of_a_table_opens_its_rows() -> None:
    text = "Places:\n\n|York |\n| - |\n| \\# 20 High Street |\n| Phone: 555 |\n\n|Leeds |\n| - |\n| Phone: 777 |\n"
    lines = read(text, "places.md").text.splitlines()
    assert {"| York | # 20 High Street |", "| York | Phone: 555 |", "| Leeds | Phone: 777 |"} <= set(lines)


def test_a_table_whose_columns_have_no_names_gets_none() -> None:
    parsed = read(UNNAMED, "tickets.md")
    lines = parsed.text.splitlines()
    assert "| Who may buy it: Anybody over 18. |" in lines
    assert "| Price: $75 a month. |" in lines
    assert "| Paid in advance. |" in lines
    assert "| Red | 3 | open |" in lines
    assert "| Area: Low risk Kitchen; Yard | Children: may come in |" in lines
    assert "It costs $20 – not \\*less\\*." in lines


@pytest.mark.parametrize(
    "convert", [rst.to_markdown, asciidoc.to_markdown, roff.to_markdown, markdown_extensions.strip]
)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "..",
        ".. ",
        "=",
        "====",
        "+--+",
        "::",
        "|===",
        "----",
        ".TP",
        ".nf",
        "* ",
        "<",
        "{",
        "'''",
        "\\",
        ".. x::",
    ],
)
def test_pieces_of_markup_are_no_trouble(convert: object, text: str) -> None:
    assert callable(convert)
    for document in (text, f"{text}\n{text}\n", f"a\n{text}\n  b\n\n{text}"):
        assert isinstance(convert(document), str)
