"""durakv: a durability engine to embed, and the crash laboratory that proves it."""
