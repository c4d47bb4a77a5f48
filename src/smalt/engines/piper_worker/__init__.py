"""The worker of the engine piper: a voice in onnxruntime, with the phonemes of espeak-ng."""
