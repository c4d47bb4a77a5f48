"""The process that holds the embedded index: vectors in blocks, words in tantivy, attributes in columns."""
