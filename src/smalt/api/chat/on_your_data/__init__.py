"""On Your Data: chat completions that rest on the documents of a data source."""
