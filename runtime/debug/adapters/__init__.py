"""What is known of each debugger, one a file: facts, and pure functions over words. Nothing here runs one."""
