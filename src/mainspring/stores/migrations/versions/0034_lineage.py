"""Which key made which, and who set a budget."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    op.add_column("keys", sa.Column("parent", sa.Text(), server_default="", nullable=False))
    op.add_column("keys", sa.Column("lineage", sa.Text(), server_default="[]", nullable=False))
    with op.batch_alter_table("budgets") as table:
        table.add_column(sa.Column("setter", sa.Text(), server_default="operator", nullable=False))
        table.drop_constraint("uq_budgets_tenant_scope_subject_window_hard", type_="unique")
        table.create_unique_constraint(
            "uq_budgets_tenant_scope_subject_window_hard_setter",
            ["tenant", "scope", "subject", "window", "hard", "setter"],
        )
    _parents()
    _setters()


def _parents() -> None:
    """The audit log says which key made which, and in whose place a key stands."""
    connection = op.get_bind()
    told = sa.text(
        "SELECT tenant, action, actor, object, details FROM audit WHERE action IN ('key.created', 'key.rotated')"
        " ORDER BY tenant, seq"
    )
    parents: dict[tuple[str, str], str] = {}
    for tenant, action, actor, made, details in connection.execute(told):
        if action == "key.created":
            parents[tenant, made] = actor if actor.startswith(("key_", "oidc_")) else ""
        else:
            successor = str(json.loads(details).get("successor", ""))
            parents[tenant, successor] = parents.get((tenant, made), "")
            parents |= {key: successor for key, parent in parents.items() if key[0] == tenant and parent == made}
    for (tenant, key_id), parent in parents.items():
        if parent:
            statement = sa.text("UPDATE keys SET parent = :parent WHERE tenant = :tenant AND id = :id")
            connection.execute(statement, {"parent": parent, "tenant": tenant, "id": key_id})


def _setters() -> None:
    """A budget that a key made which is no operator's is its tenant's own."""
    connection = op.get_bind()
    query = sa.text("SELECT tenant, id FROM keys WHERE scopes LIKE '%\"operate\"%'")
    operators = {(row[0], row[1]) for row in connection.execute(query)}
    told = sa.text("SELECT tenant, actor, object FROM audit WHERE action = 'budget.created'")
    for tenant, actor, budget in connection.execute(told).all():
        if actor.startswith(("key_", "oidc_")) and (tenant, actor) not in operators:
            statement = sa.text("UPDATE budgets SET setter = 'tenant' WHERE tenant = :tenant AND id = :id")
            connection.execute(statement, {"tenant": tenant, "id": budget})
