"""Speed against others: the same work, on the same shapes, in turns, in one process."""
