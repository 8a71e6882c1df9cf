"""One module per recording format: its reader, and its writer where there is one."""
