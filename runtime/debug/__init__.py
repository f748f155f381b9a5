"""The debugger of a dev process: which one, whether it answers, and how an editor stays with it. Never prints."""
