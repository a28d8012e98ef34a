"""Speed compared with other implementations: the same work on batches of equal shapes, in turns, in one process."""
