"""The stored data: suggestions with their outcomes, and persons' own phrases."""
