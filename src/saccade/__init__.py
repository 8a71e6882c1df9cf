"""saccade: live zero-shot labels for event cameras."""

__version__ = "0.1.0"
