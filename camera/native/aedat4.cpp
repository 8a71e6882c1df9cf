// aedat4
