"""The library's entry points in the terms of PEFT and transformers: a LoraConfig in, a LoraConfig out."""
