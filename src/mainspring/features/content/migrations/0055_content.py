"""Articles, research, notebooks and spoken summaries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0054"


def _text(name: str, default: str | None = "") -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)


def _own() -> list[sa.Column[str]]:
    return [_text("tenant", None), _text("id", None), _text("owner", None), _text("groups", "[]")]


def upgrade() -> None:
    op.create_table(
        "content_articles",
        *_own(),
        *(_text(name) for name in ("person", "trace_id", "run_id", "stage")),
        _text("brief", "{}"),
        _text("plan", "null"),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_content_articles")),
    )
    op.create_index(
        op.f("ix_content_articles_tenant_owner_created_at"), "content_articles", ["tenant", "owner", "created_at"]
    )
    op.create_table(
        "content_versions",
        _text("tenant", None),
        _text("article_id", None),
        sa.Column("number", sa.BigInteger(), nullable=False),
        _text("change"),
        _text("article", "{}"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "article_id", "number", name=op.f("pk_content_versions")),
    )
    op.create_table(
        "content_research",
        *_own(),
        *(_text(name) for name in ("person", "trace_id")),
        _text("fingerprint", None),
        _text("question", None),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        _text("findings", "{}"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_content_research")),
    )
    op.create_index(op.f("ix_content_research_tenant_fingerprint"), "content_research", ["tenant", "fingerprint"])
    op.create_index(op.f("ix_content_research_expires_at"), "content_research", ["expires_at"])
    _notebooks()


def _notebooks() -> None:
    op.create_table(
        "content_notebooks",
        *_own(),
        _text("name", None),
        _text("documents", "[]"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_content_notebooks")),
    )
    op.create_index(
        op.f("ix_content_notebooks_tenant_owner_created_at"), "content_notebooks", ["tenant", "owner", "created_at"]
    )
    op.create_table(
        "content_recordings",
        *_own(),
        _text("notebook_id", None),
        _text("documents", "[]"),
        _text("script", "[]"),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_content_recordings")),
    )
    op.create_index(op.f("ix_content_recordings_tenant_notebook_id"), "content_recordings", ["tenant", "notebook_id"])
