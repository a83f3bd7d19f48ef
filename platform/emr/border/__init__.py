"""Tries every door of every hospital from outside, as the border light.

Owns what is planted in each hospital to be looked for (a patient, papers and an image that nobody has), the list of
doors that is made from the routes, search parameters and operations themselves, and the verdict on each answer. It
knocks over HTTP as anybody would and has no right that an outsider has not. What sees to it that a door is shut belongs
to the rooms below; the results and the page that shows them are `light`'s.
"""
