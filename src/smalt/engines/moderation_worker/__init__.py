"""The worker of the moderation engine: texts to windows, windows to features, features to scores."""
