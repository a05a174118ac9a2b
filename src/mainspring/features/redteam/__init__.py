"""Attacks on an application or an endpoint, by public sets, judged by what really came out."""
