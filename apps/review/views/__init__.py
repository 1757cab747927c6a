"""The pages of review, a module each: the function home, the samples behind its numbers, the queues."""
