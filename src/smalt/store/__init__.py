"""What Smalt remembers: objects in a database, with their migrations."""
