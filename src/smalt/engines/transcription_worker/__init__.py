"""The worker process of the engine `faster_whisper`: decodes recordings, finds the voices in them, hears the words."""
