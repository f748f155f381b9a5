"""The nouns: what may be written, and what passes between rooms. Never does anything: no I/O, no verbs."""
