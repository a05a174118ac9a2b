"""Recipes for chat models of the catalogue, over trl and peft.

``listed`` names them and needs no torch; everything in ``recipes`` is imported in the process of a run alone.
"""
