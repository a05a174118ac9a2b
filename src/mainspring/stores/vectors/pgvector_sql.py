"""The SQL of chunks in Postgres: tables, indexes and searches of one collection.

A collection has two tables in the schema ``mainspring_vectors``: its chunks, and for each word of each chunk how often
it occurs there. ``collections`` holds their sizes. BM25 is computed from these, exactly (Robertson and Zaragoza 2009,
k1 1.2, b 0.75): Postgres's own ``ts_rank`` knows nothing of how rare a word is or how long a chunk.
"""

# Names of tables cannot be parameters; ``Tables`` checks the only part that comes from outside.
# ruff: noqa: S608

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from mainspring.core.errors import StoreError
from mainspring.stores.vectors.segmentation import segmented

SCHEMA = "mainspring_vectors"
# The layout of the tables below. Another number in the database is that of another version of mainspring.
LAYOUT = 1
# A word of a text; everything between words becomes a space for the server's parser, which would take "a/b" as a
# file's name.
_BETWEEN_WORDS = re.compile(r"[\W_]+")

FIELDS = ("chunk_id", "document_id", "generation", "text", "start", "end", "page", "heading")
LATER_FIELDS = ("parent_start", "parent_end", "digest", "vector")
CHUNK_COLUMNS = ("id", *FIELDS, *LATER_FIELDS, "words", "length")

PREPARE = f"""
CREATE EXTENSION IF NOT EXISTS vector SCHEMA public;
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.collections (
    name text PRIMARY KEY, layout int NOT NULL, dimensions int NOT NULL,
    chunks bigint NOT NULL DEFAULT 0, words bigint NOT NULL DEFAULT 0
);
CREATE SEQUENCE IF NOT EXISTS {SCHEMA}.chunk_ids;
"""
# For each text: its words stemmed by the English dictionary, without stop words, and their frequencies.
COUNT_WORDS = """
SELECT number, lexeme, cardinality(positions) AS count
FROM unnest($1::text[]) WITH ORDINALITY AS t(words, number), unnest(to_tsvector('english', words))
"""
STEM = "SELECT tsvector_to_array(to_tsvector('english', $1))"
TAKE_IDS = f"SELECT nextval('{SCHEMA}.chunk_ids') FROM generate_series(1, $1::int)"
KNOWN = f"SELECT layout, dimensions, chunks, words FROM {SCHEMA}.collections WHERE name = $1"
REGISTER = f"INSERT INTO {SCHEMA}.collections (name, layout, dimensions) VALUES ($1, $2, $3)"
UNREGISTER = f"DELETE FROM {SCHEMA}.collections WHERE name = $1"
RESIZE = f"UPDATE {SCHEMA}.collections SET chunks = chunks + $2, words = words + $3 WHERE name = $1"
DISTINCT = "SELECT n_distinct FROM pg_stats WHERE schemaname = $1 AND tablename = $2 AND attname = 'document_id'"
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"


@dataclass(frozen=True, slots=True)
class Tables:
    """The statements of one collection. ``name`` becomes part of identifiers and is checked to be harmless."""

    name: str
    chunks: str = field(init=False)
    words: str = field(init=False)

    def __post_init__(self) -> None:
        # Postgres cuts identifiers at 63 bytes, silently.
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,48}", self.name):
            raise StoreError(f"{self.name!r} is not a collection id")
        object.__setattr__(self, "chunks", f'{SCHEMA}."{self.name}"')
        object.__setattr__(self, "words", f'{SCHEMA}."{self.name} words"')

    def create(self, dimensions: int) -> str:
        return f"""
        CREATE TABLE {self.chunks} (
            id bigint PRIMARY KEY, chunk_id text NOT NULL UNIQUE, document_id text NOT NULL, generation bigint NOT NULL,
            text text NOT NULL, start bigint NOT NULL, "end" bigint NOT NULL, page bigint, heading text NOT NULL,
            parent_start bigint NOT NULL, parent_end bigint NOT NULL, digest text NOT NULL,
            vector vector({int(dimensions)}) STORAGE PLAIN NOT NULL, words text[] NOT NULL, length int NOT NULL
        );
        CREATE INDEX ON {self.chunks} (document_id, generation);
        CREATE INDEX ON {self.chunks} USING hash (digest);
        CREATE TABLE {self.words} (
            word text COLLATE "C", id bigint, count int NOT NULL, length int NOT NULL,
            PRIMARY KEY (word, id) INCLUDE (count, length)
        );
        """

    def drop(self) -> str:
        return f"DROP TABLE IF EXISTS {self.chunks}, {self.words}"

    # --- the index of vectors -------------------------------------------------------------------------------------

    @property
    def index_name(self) -> str:
        return f"{self.name} hnsw"

    def index(self, dimensions: int) -> str:
        # Half precision halves the index; cosines of its results are computed from the whole vectors.
        return f"""CREATE INDEX CONCURRENTLY IF NOT EXISTS "{self.index_name}" ON {self.chunks}
        USING hnsw ((vector::halfvec({int(dimensions)})) halfvec_ip_ops) WITH (m = 16, ef_construction = 100)"""

    def drop_index(self) -> str:
        return f'DROP INDEX CONCURRENTLY IF EXISTS {SCHEMA}."{self.index_name}"'

    # --- changes --------------------------------------------------------------------------------------------------

    def delete(self, condition: str) -> str:
        """Delete the chunks where ``condition`` (of ``c``) holds, with their words: how many and how long."""
        return f"""
        WITH gone AS (DELETE FROM {self.chunks} AS c WHERE {condition} RETURNING id, words, length),
        forgotten AS (
            DELETE FROM {self.words} AS w USING (SELECT id, unnest(words) AS word FROM gone) AS g
            WHERE w.word = g.word AND w.id = g.id
        )
        SELECT count(*) AS chunks, coalesce(sum(length), 0)::bigint AS words FROM gone"""

    # --- searches -------------------------------------------------------------------------------------------------
    # $1 is the query, $2 the number of rows; documents and their generations follow.

    def nearest_of(self) -> str:
        """Exact, among the chunks of some documents. No index provides this order."""
        return f"""
        SELECT c.id, c.document_id, c.generation
        FROM {self.chunks} c JOIN unnest($3::text[], $4::bigint[]) AS w(document_id, generation)
        USING (document_id, generation) ORDER BY c.vector <#> $1 LIMIT $2"""

    def nearest(self, dimensions: int, filtered: bool) -> str:
        """Through the index, of whatever generation; with ``filtered`` it is read on until enough rows are found
        whose document is among $3."""
        where = "WHERE c.document_id = ANY($3::text[])" if filtered else ""
        halved = f"halfvec({int(dimensions)})"
        return f"""
        SELECT c.id, c.document_id, c.generation FROM {self.chunks} c {where}
        ORDER BY c.vector::{halved} <#> $1::vector::{halved} LIMIT $2"""

    def best(self, filtered: bool) -> str:
        """By BM25: $1 words, $3 chunks in all, $4 their mean length; with ``filtered`` only of the documents $5 in
        their generations $6. How rare a word is counts over all chunks either way."""
        among = (
            f"""JOIN {self.chunks} c ON c.id = a.id
            JOIN unnest($5::text[], $6::bigint[]) AS w(document_id, generation)
            ON w.document_id = c.document_id AND w.generation = c.generation"""
            if filtered
            else ""
        )
        return f"""
        WITH asked AS MATERIALIZED (
            SELECT word, id, count, length FROM {self.words} WHERE word = ANY($1::text[] COLLATE "C")
        ),
        rare AS (
            SELECT word, ln(1 + ($3::float8 - count(*) + 0.5) / (count(*) + 0.5)) AS weight FROM asked GROUP BY word
        ),
        scored AS (
            SELECT a.id,
                sum(r.weight * a.count * 2.2 / (a.count + 1.2 * (0.25 + 0.75 * a.length / $4::float8))) AS score
            FROM asked a JOIN rare r USING (word) {among}
            GROUP BY a.id ORDER BY score DESC, a.id LIMIT $2
        )
        SELECT s.id, s.score, c.document_id, c.generation FROM scored s JOIN {self.chunks} c USING (id)
        ORDER BY s.score DESC, s.id"""

    def show(self) -> str:
        """The columns of hits for the rows $1, with the cosine to $2 (null: none)."""
        columns = ", ".join(f'"{name}"' for name in (*FIELDS, "parent_start", "parent_end"))
        return f"""
        SELECT id, {columns}, -(vector <#> $2::vector) AS cosine FROM {self.chunks} WHERE id = ANY($1::bigint[])"""

    def read(self) -> str:
        columns = ", ".join(f'c."{name}"' for name in (*FIELDS, *LATER_FIELDS))
        return f"""
        SELECT {columns} FROM {self.chunks} c JOIN unnest($1::text[], $2::bigint[]) AS w(document_id, generation)
        USING (document_id, generation) ORDER BY c.document_id, c.start, c."end", c.chunk_id"""

    def by_digest(self) -> str:
        return f"SELECT DISTINCT ON (digest) digest, vector FROM {self.chunks} WHERE digest = ANY($1::text[])"


def spaced(text: str) -> str:
    """``text`` as words between spaces, without accents: the form of both sides of the search by words."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return _BETWEEN_WORDS.sub(" ", segmented(unicodedata.normalize("NFC", plain)))
