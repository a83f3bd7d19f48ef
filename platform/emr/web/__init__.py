"""HTTP that is no feature: layout, components, languages, forms, errors, sign-in, security headers, built scripts.

Owns how a page looks and speaks, the strip that names the patient, and what protects a form. Does not own any task of
the ward: those stand in the features above, which hand their view models to `rendering.render`.
"""
