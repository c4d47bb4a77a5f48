"""The workers of the speaking engines: text to pieces, pieces to sound, sound to a file's bytes."""
