"""Preprocessing of intracranial EEG: referencing, line noise, high gamma, spikes and flat contacts."""

__all__: list[str] = []
