"""The small GPT-2 of the offline default: what it was pretrained on, how, and the weights."""
