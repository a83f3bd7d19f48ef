"""One patient on one page, put together from the record: problems, medicines, results, visits, documents, images.

Owns the view models of the chart and its pages, and finding a patient. Writes nothing: forms are the features' below.
"""
