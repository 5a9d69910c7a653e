"""Work on other machines: the wire, the cells, real workers."""
