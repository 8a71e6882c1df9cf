"""TensorRT: plans built on the user's machine, cached, checked, and run as CUDA graphs."""
