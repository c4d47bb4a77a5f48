"""The worker of the image moderation engine: encoded pictures to pixels, pixels to scores."""
