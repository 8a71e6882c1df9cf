"""Training of the event encoders; torch lives here and nowhere else."""
