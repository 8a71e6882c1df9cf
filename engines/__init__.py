"""Frames in, embeddings and labels out: models, engines and label banks."""
