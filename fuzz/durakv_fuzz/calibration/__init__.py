"""Whether the model of a disk is sound: tiny workloads, and what real file systems were seen to leave of them."""
