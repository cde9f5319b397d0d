"""lib/journal on real file systems, with power cuts and faults below them."""
