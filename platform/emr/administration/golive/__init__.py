"""The hospital's own way to going live at `/h/{slug}/admin/golive`: points, owners, dates, evidence.

Owns the pages and the verbs; template and rows are tenancy's, the city's overview is fleet's.
"""
