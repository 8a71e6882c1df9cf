// evt3
