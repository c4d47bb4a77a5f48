"""Operations of audio: recordings to words, texts to speech."""
