"""Attacks on an application or an endpoint, from public sets, judged by the actual output."""
