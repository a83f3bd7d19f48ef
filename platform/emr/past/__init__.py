"""What a hospital sees of its opened pasts: which there are, and what of the record is not as it was.

The pages of the past itself are those of today (`web.past`). Opening, bringing back and closing are commands of the
operators (`fleet.rewind`): a hospital asks for them.
"""
