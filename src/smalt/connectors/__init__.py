"""The automation side: connectors as data, what runs them, what exports them and what answers for them."""
