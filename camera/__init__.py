"""Light in, frames out: recordings, decoders, slicing, frames and the simulator."""
