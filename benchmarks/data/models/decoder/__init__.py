"""The small GPT-2 that generation tasks use offline: its pretraining corpus, its pretraining script and its weights."""
