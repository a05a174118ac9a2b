"""Features' data of data subjects: each feature declares it, and erasure and access exports collect it.

A feature that keeps any has a module ``holdings`` with ``HOLDINGS``, a tuple of what makes a ``Holding`` of the
database and the blobs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from mainspring.core import slices
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.sql.database import Database


class Holding(Protocol):
    """One feature's data, in all tenants.

    ``name`` is the key of its counts in receipts and exports. ``held`` is the data that the rooms keep of the subject.
    ``upto`` is in Unix seconds: newer data stays.
    """

    @property
    def name(self) -> str: ...

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None
    ) -> Sequence[Mapping[str, Any]]:
        """Each item as JSON values with its ``type``, if keys of ``groups`` may see it (None: all)."""
        ...

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Erase the data; returns the number of items. Can be done again."""
        ...


@runtime_checkable
class RepeatsAnswers(Protocol):
    """A holding that repeats what answers say, and forgets it with them."""

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """The answers of these ids are about to be erased, since a document that they are made of was deleted. Can be
        done again."""
        ...


@runtime_checkable
class RepeatsDocuments(Protocol):
    """A holding that repeats what documents say."""

    async def forget_documents(self, tenant: str, documents: Sequence[str]) -> None:
        """The documents, or whole collections, of these ids were deleted. Can be done again."""
        ...


@runtime_checkable
class Unlearns(Protocol):
    """A holding that learns from answers."""

    async def unlearn(self, tenant: str, answers: Sequence[str]) -> int:
        """The consent to learn from the answers of these ids was withdrawn; how many things are marked. Can be done
        again."""
        ...


@runtime_checkable
class Remains(Protocol):
    """A holding that an erasure cannot empty: something of it stays."""

    async def remains(self, tenant: str, since: float) -> Sequence[str]:
        """What was marked for that since ``since`` (Unix seconds), one sentence each, for the receipt."""
        ...


Make = Callable[[Database, Blobs], Holding]


def holdings(database: Database, blobs: Blobs) -> tuple[Holding, ...]:
    """The data of all features, by feature."""
    return tuple(make(database, blobs) for _, found in slices.declared("holdings", "HOLDINGS") for make in found)
