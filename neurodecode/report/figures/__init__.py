"""Figures of the report as functions that return matplotlib figures."""
