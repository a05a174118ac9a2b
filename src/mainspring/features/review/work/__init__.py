"""Fills queues, and shows answers."""
