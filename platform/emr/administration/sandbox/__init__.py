"""The button that brings a hospital for training back to its beginning: asked for here, done by the fleet's command."""
