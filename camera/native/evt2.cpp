// evt2
