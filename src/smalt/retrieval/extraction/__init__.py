"""Documents to text: what each format needs, in a child process that may take so much time and memory."""
