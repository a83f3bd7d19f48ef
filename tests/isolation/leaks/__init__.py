"""The leak suite: questions asked of several hospitals on one small pool, whose answers are looked through for another's.

Four hospitals have the same ids with different words in them, so that any mix-up gives the wrong word. A probe is one
question whose answer could hold something of another hospital, looked through for all of their words.
"""
