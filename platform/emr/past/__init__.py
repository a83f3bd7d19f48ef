"""What a hospital sees of its opened pasts: which there are, what of the record is not as it was, and what it wants
brought back from them.

Owns the pages, the verbs under `past:order`, and what is asked for before it is carried out. The pages of the past
itself are those of today (`web.past`). Opening, closing, and the bringing back that was ordered are commands
(`fleet.rewind`, `fleet.requests`).
"""
