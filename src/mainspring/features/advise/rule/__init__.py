"""What is recommended, from measured rows: pairs, money, facts that change, and the rule."""
