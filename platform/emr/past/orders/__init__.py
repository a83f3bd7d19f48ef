"""Orders to bring something back from an opened past: asked for here, carried out by the fleet's command."""
