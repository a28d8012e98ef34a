"""Tasks of questions with choices, for decoder LLMs: each file a `TASK`, as in the folder above."""
