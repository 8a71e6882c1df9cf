// simulate
