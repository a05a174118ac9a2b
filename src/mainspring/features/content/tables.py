"""Articles with their versions, cached research, notebooks, and spoken summaries."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# ``owner`` is the identity of the key that ordered it (see ``Principal.person``), ``groups`` are that key's. ``run_id``
# is the run that writes it, ``version`` the newest version's number.
content_articles = sa.Table(
    "content_articles",
    metadata,
    key("tenant"),
    key("id"),
    text("owner"),
    json("groups", "[]"),
    optional("person"),
    optional("trace_id"),
    optional("run_id"),
    optional("stage"),
    json("brief", "{}"),
    json("plan", "null"),
    count("version"),
    time("created_at"),
    time("updated_at"),
    sa.Index(None, "tenant", "owner", "created_at"),
)

# ``change`` says what was asked for when it was made (empty: the first one).
content_versions = sa.Table(
    "content_versions",
    metadata,
    key("tenant"),
    key("article_id"),
    sa.Column("number", sa.BigInteger, primary_key=True),
    optional("change"),
    json("article", "{}"),
    time("created_at"),
)

# ``fingerprint`` is of what the question was asked of: collections with their versions, groups, documents, the web.
# ``vector`` is the question's, as float32.
content_research = sa.Table(
    "content_research",
    metadata,
    key("tenant"),
    key("id"),
    text("owner"),
    json("groups", "[]"),
    optional("person"),
    optional("trace_id"),
    text("fingerprint"),
    text("question"),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    json("findings", "{}"),
    time("created_at"),
    time("expires_at"),
    sa.Index(None, "tenant", "fingerprint"),
    sa.Index(None, "expires_at"),
)

# ``documents`` are pairs of a collection's id and a document's.
content_notebooks = sa.Table(
    "content_notebooks",
    metadata,
    key("tenant"),
    key("id"),
    text("owner"),
    json("groups", "[]"),
    text("name"),
    json("documents", "[]"),
    time("created_at"),
    time("updated_at"),
    sa.Index(None, "tenant", "owner", "created_at"),
)

# ``script`` is what is said. ``documents`` as of its notebook: it goes when one of them goes.
content_recordings = sa.Table(
    "content_recordings",
    metadata,
    key("tenant"),
    key("id"),
    text("owner"),
    json("groups", "[]"),
    text("notebook_id"),
    json("documents", "[]"),
    json("script", "[]"),
    sa.Column("data", sa.LargeBinary, nullable=False),
    time("created_at"),
    sa.Index(None, "tenant", "notebook_id"),
)
