"""A hospital's exit package in its administrator's hands: asked for, watched, fetched, removed."""
