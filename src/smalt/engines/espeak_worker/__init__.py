"""The worker of the engine espeak-ng: its library by ctypes, its languages and variants as voices."""
