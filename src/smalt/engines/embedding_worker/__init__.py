"""The worker of the ONNX embedding engine: texts to tokens, tokens to batches, batches to vectors."""
