"""CLIP in torch: our own definition, checkpoints of all layouts, and the way to a model folder."""
