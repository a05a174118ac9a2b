"""The recommendation, computed from measured rows: pairs, money, facts that change, and the rule."""
