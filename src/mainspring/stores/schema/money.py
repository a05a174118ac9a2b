"""Budgets, their spending and their reservations."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import CleanText, count, key, metadata, text, time

# The spending limits of a scope in a window of time. Budgets over all tenants are stored under the empty tenant.
budgets = sa.Table(
    "budgets",
    metadata,
    key("tenant"),
    key("id"),
    text("name"),
    text("scope"),
    text("subject"),
    text("window"),
    sa.Column("limit_nanousd", sa.BigInteger, nullable=True),
    sa.Column("limit_tokens", sa.BigInteger, nullable=True),
    sa.Column("hard", sa.Boolean, nullable=False),
    time("created_at"),
    # Who may change the budget: the operator only, or the tenant's administrators as well.
    sa.Column("setter", CleanText, nullable=False, server_default="operator"),
    sa.UniqueConstraint("tenant", "scope", "subject", "window", "hard", "setter"),
)

# The spending in one period of a budget, exactly the sum of its ``call`` events, and the reservations of running
# requests.
budget_periods = sa.Table(
    "budget_periods",
    metadata,
    key("tenant"),
    key("budget_id"),
    key("period"),
    count("spent_nanousd"),
    count("spent_tokens"),
    count("reserved_nanousd"),
    count("reserved_tokens"),
    # When the limit was reached.
    time("crossed_at", nullable=True),
)

# The reservation of one running request in one period; void when its lease ends.
reservations = sa.Table(
    "reservations",
    metadata,
    key("tenant"),
    key("budget_id"),
    key("id"),
    text("period"),
    count("nanousd"),
    count("tokens"),
    time("expires_at"),
    sa.Index(None, "id"),
    sa.Index(None, "expires_at"),
)

# The operator's own limits for tenants, which override the settings.
tenant_limits = sa.Table("tenant_limits", metadata, key("tenant"), key("name"), count("amount"), time("at"))
