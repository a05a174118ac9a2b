"""The loop of improvement: policies, campaigns, what they made, and what gave which answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0075"
down_revision = "0074"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _optional(name: str, default: str = "") -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)


def _time(name: str, *, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=nullable)


def _key(table: str, *names: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*names, name=op.f(f"pk_{table}"))


def _index(table: str, *names: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(names)}"), table, list(names))


def upgrade() -> None:
    _policies()
    _campaigns()
    _variants()
    _answers()


def _policies() -> None:
    op.create_table(
        "improve_policies",
        _text("tenant"),
        _text("application"),
        sa.Column("version", sa.BigInteger(), nullable=False),
        _optional("policy", "{}"),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        _text("key_id"),
        _optional("groups", "[]"),
        _time("created_at"),
        _key("improve_policies", "tenant", "application", "version"),
    )
    op.create_table(
        "improve_watched",
        _text("tenant"),
        _text("application"),
        _count("feedback"),
        _count("begun"),
        _time("begun_at"),
        _time("rest_until"),
        _optional("due"),
        _key("improve_watched", "tenant", "application"),
    )


def _campaigns() -> None:
    op.create_table(
        "improve_campaigns",
        _text("tenant"),
        _text("id"),
        _text("application"),
        sa.Column("policy_version", sa.BigInteger(), nullable=False),
        _optional("policy", "{}"),
        _text("trigger"),
        _text("stage"),
        _count("number"),
        _count("rung"),
        _optional("notes", "{}"),
        _optional("rungs", "[]"),
        _optional("reason"),
        _text("key_id"),
        _optional("groups", "[]"),
        sa.Column("seconds", sa.Double(), server_default=sa.text("0"), nullable=False),
        _time("created_at"),
        _time("entered_at"),
        _time("ended_at", nullable=True),
        _key("improve_campaigns", "tenant", "id"),
    )
    _index("improve_campaigns", "ended_at", "tenant")
    _index("improve_campaigns", "tenant", "application", "id")
    op.create_table(
        "improve_steps",
        _text("tenant"),
        _text("campaign"),
        sa.Column("number", sa.BigInteger(), nullable=False),
        _time("at"),
        _text("before"),
        _text("stage"),
        _count("rung"),
        _optional("reason"),
        _optional("figures", "{}"),
        _optional("by"),
        _key("improve_steps", "tenant", "campaign", "number"),
    )


def _variants() -> None:
    op.create_table(
        "improve_variants",
        _text("tenant"),
        _text("id"),
        _text("application"),
        _text("kind"),
        _optional("value", "{}"),
        _optional("version"),
        _text("campaign"),
        _optional("export"),
        _optional("data_set"),
        _time("made_at"),
        _time("promoted_at", nullable=True),
        _time("withdrawn_at", nullable=True),
        _optional("reason"),
        _time("erased_at", nullable=True),
        _key("improve_variants", "tenant", "id"),
    )
    _index("improve_variants", "erased_at")
    for name in ("campaign", "export", "version"):
        _index("improve_variants", "tenant", name)
    op.create_table(
        "improve_sources",
        _text("tenant"),
        _text("answer"),
        _text("variant"),
        _key("improve_sources", "tenant", "answer", "variant"),
    )
    _index("improve_sources", "tenant", "variant")


def _answers() -> None:
    op.create_table(
        "improve_answers",
        _text("tenant"),
        _text("answer"),
        _text("application"),
        _optional("variant"),
        _time("at"),
        _key("improve_answers", "tenant", "answer"),
    )
    _index("improve_answers", "tenant", "at")
    _index("improve_answers", "tenant", "variant", "at")
    op.create_table(
        "improve_counts",
        _text("tenant"),
        _text("application"),
        _text("variant"),
        *(_count(each) for each in ("answers", "failed", "refused", "ups", "downs")),
        sa.Column("seconds", sa.Double(), server_default=sa.text("0"), nullable=False),
        _count("cost_nanousd"),
        _key("improve_counts", "tenant", "application", "variant"),
    )
