"""Watches the traffic: counts it, raises alerts and notifies people, looks for drift, judges a share of the answers,
keeps the budgets of objectives."""
