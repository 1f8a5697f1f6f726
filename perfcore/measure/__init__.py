"""Measures the machine in front of you: ``perfcore measure cpu`` and ``perfcore measure gpu``."""
