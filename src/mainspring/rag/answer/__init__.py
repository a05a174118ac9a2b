"""Answers from documents: found, judged, shown or written, cited or refused."""
