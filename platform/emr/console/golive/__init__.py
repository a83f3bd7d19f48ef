"""The way of all hospitals to going live at `/ops/golive`, and one hospital's checklist as the department sees it.

Owns the city's table and what the department writes to the points that are its own task. Template, rows and figures are
tenancy's and fleet's; the hospital's own pages are administration's. Files that a hospital gave as evidence lie in its
own store: their titles are shown here, their content is not.
"""
