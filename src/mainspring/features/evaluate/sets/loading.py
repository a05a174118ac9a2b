"""Judged collections by name, or from your own folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mainspring.core.errors import NotFound
from mainspring.features.evaluate.sets import hops, public, scifact
from mainspring.features.evaluate.sets.collections import JudgedCollection, load_own


def named() -> dict[str, tuple[str, Callable[[Path], JudgedCollection]]]:
    """The names for ``load``: a line of description, and the loader, which takes the folder of data sets."""
    return {
        "cranfield": ("1,400 abstracts on aerodynamics, 225 queries, graded", public.cranfield),
        "cacm": ("3,204 records of computer science, 52 judged queries", public.cacm),
        "scifact": ("5,183 abstracts of medicine and biology, 809 + 300 claims as queries", scifact.scifact),
        "med": ("1,033 abstracts of medicine, 30 queries", public.med),
        "cisi": ("1,460 abstracts of library science, 76 judged queries", public.cisi),
        "npl": ("11,429 titles and abstracts of electronics, 93 queries", public.npl),
        "squad": ("646 paragraphs of SQuAD 2.0 (dev), 500 + 500 answerable questions", public.squad),
        "squad-refusal": ("SQuAD without some articles: answerable, adversarial and off-topic", public.squad_refusal),
        "squad-articles": ("SQuAD halved by article: answerable and adversarial", public.squad_articles),
        "tatqa": ("555 tables with text of financial reports, 3,331 questions, each of one table", public.tatqa),
        "handbook": ("18 documents of the sample handbook, its development questions", public.handbook),
        "handbook-2hop": ("the sample handbook, questions that need two documents", public.handbook_2hop),
        "2wiki": ("6,119 passages of 2WikiMultihopQA, questions built over pairs of them", public.two_wiki),
        "hotpotqa": ("994 passages of HotpotQA, 100 questions that need two", hops.hotpotqa),
        "musique": ("1,890 passages of MuSiQue, 68 questions that need two", hops.musique),
    }


def load(name_or_folder: str, data: Path | None = None) -> JudgedCollection:
    """A collection by name, from the folder of data sets ``data``, or from your own folder.

    Raises ``NotFound`` for an unknown name or missing files, ``InvalidRequest`` with the faulty line.
    """
    known = named()
    if name_or_folder in known:
        if data is None:
            raise NotFound(
                f"the data of {name_or_folder} has no known folder",
                remedy="Give its folder with --data, or set MAINSPRING_DATA (docs/guides/evaluation.md)",
            )
        return known[name_or_folder][1](data)
    folder = Path(name_or_folder)
    if folder.is_dir():
        return load_own(folder)
    raise NotFound(f"there is no collection and no folder {name_or_folder}", remedy=f"Collections: {', '.join(known)}")
