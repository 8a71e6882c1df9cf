"""Composition: the pipeline, its statistics, the wire, sinks and the command line."""
